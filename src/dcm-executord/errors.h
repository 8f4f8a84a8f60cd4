/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the errors of org.dcmagent.Executor1, which its XML explains. */
#pragma once

#define ERROR_ALREADY_STARTED "org.dcmagent.Error.AlreadyStarted"
#define ERROR_UNKNOWN_COMMAND "org.dcmagent.Error.UnknownCommand"
#define ERROR_INVALID_ARGUMENT "org.dcmagent.Error.InvalidArgument"
#define ERROR_REFUSED "org.dcmagent.Error.Refused"
#define ERROR_START_FAILED "org.dcmagent.Error.StartFailed"
#define ERROR_BUSY "org.dcmagent.Error.Busy"
#define ERROR_NO_SPACE "org.dcmagent.Error.NoSpace"
#define ERROR_SHUTTING_DOWN "org.dcmagent.Error.ShuttingDown"
#define ERROR_NO_SUCH_JOB "org.dcmagent.Error.NoSuchJob"
#define ERROR_UNKNOWN "org.dcmagent.Error.Unknown"
