// SPDX-License-Identifier: Apache-2.0
// The parts of hiredis that Weir uses: writing commands and reading replies. Its sockets are not used: a connection to
// Redis is a channel of its event loop.
#ifndef C_HIREDIS_H
#define C_HIREDIS_H

#include <hiredis/hiredis.h>

#endif
