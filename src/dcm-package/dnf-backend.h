/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-package/work.h"

extern const Backend dnf_backend;
