// SPDX-License-Identifier: Apache-2.0
// c-ares: questions to name servers and their answers. Its sockets and timeouts are watched by an event loop.
#ifndef C_CARES_H
#define C_CARES_H

// What takes the place of what 1.34 calls deprecated is not in 1.18.
#define CARES_NO_DEPRECATED
#include <ares.h>

// What its functions answer, an int: in 1.18 these are macros, which Swift takes for the same, in 1.34 members of an
// enumeration, which it does not.
static const int cares_success = ARES_SUCCESS;
static const int cares_no_data = ARES_ENODATA;
static const int cares_not_found = ARES_ENOTFOUND;
static const int cares_bad_name = ARES_EBADNAME;
static const int cares_refused = ARES_ECONNREFUSED;
static const int cares_timed_out = ARES_ETIMEOUT;

#endif
