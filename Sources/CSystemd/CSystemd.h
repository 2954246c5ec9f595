// SPDX-License-Identifier: Apache-2.0
// The parts of libsystemd that Weir uses: telling the service manager, sockets it opened, the journal.
#ifndef C_SYSTEMD_H
#define C_SYSTEMD_H

#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#endif
