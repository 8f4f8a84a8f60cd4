/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a tree can make dcm-scrub hold. */
#pragma once

#include "basic/macro.h"

#define HOMES_MAX 65536u
#define PASSWD_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define ITEMS_MAX ((size_t)1000000) /* of one plan; a directory with all that is in it is one */
#define SKIPPED_MAX 1000u           /* places that are told once; others may be told again */
#define MOUNTS_NAMED_MAX 64u        /* by --mount and --leave */
#define KEY_FILE_MAX ((size_t)64 * 1024) /* of the owner's public keys */
/* What fits into the length of a member of the outer archive. */
#define RESCUE_SIZE_MAX ((uint64_t)8 * 1024 * 1024 * 1024 - 1)
#define RECOVERY_SCRIPT_MAX ((size_t)64 * 1024)
#define ORDER_SIZE_MAX ((size_t)1024) /* of clean_image */
