// SPDX-License-Identifier: Apache-2.0
// c-ares: questions to name servers and their answers. Its sockets and timeouts are watched by an event loop.
#ifndef C_CARES_H
#define C_CARES_H

#include <ares.h>

#endif
