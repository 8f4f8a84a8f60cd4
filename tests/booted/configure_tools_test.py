# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: a program that configure_server lacks is installed from a signed repository by the package manager,
if the policy allows that; else the error says how. apt is real, Puppet a program in its place."""

from agent_test import manager, run  # noqa: F401
from configure_test import HERE, POLICY, PUPPET, PUPPET_RUN, b64, clean, configure  # noqa: F401
from packages_test import do, machine  # noqa: F401


def test_a_program_that_is_missing(manager, machine):
    (HERE / "summary").write_text(PUPPET_RUN.replace("FAILED", "0"))
    (HERE / "status").write_text("0")
    machine.build("main", "puppet-agent", "1.0", files={"usr/bin/puppet": PUPPET}, postinst="chmod 755 /usr/bin/puppet")
    machine.publish("main", "Main")
    do(manager, "add_repository", name="main", uri="file:/srv/main", suite="./", key=machine.key)
    reply = configure(manager, "PUPPET", endpoint="puppet")
    assert reply["return_code"] == 1 and "puppet-agent" in reply["message"], reply
    assert "install_missing_tools" in reply["message"] and not machine.versions(), reply
    POLICY.parent.mkdir(exist_ok=True)
    POLICY.write_text("[policy]\ninstall_missing_tools = yes\n")
    try:
        reply = configure(manager, "CHEF")
        assert reply["return_code"] == 1 and "There is no package cinc" in reply["message"], reply
        reply = configure(manager, "PUPPET", endpoint="puppet", configCert=b64("C"), configKey=b64("K"), dry_run=True)
        assert reply["return_code"] == 1 and "a dry run installs nothing" in reply["message"], reply
        reply = configure(manager, "PUPPET", endpoint="puppet")
        assert reply["return_code"] == 0 and reply["reply_object"]["changed"] == 2, reply
        assert machine.versions() == {"puppet-agent": "1.0"}
    finally:
        POLICY.unlink()
    do(manager, "remove_packages", packages=["puppet-agent"])
