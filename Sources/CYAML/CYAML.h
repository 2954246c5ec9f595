// SPDX-License-Identifier: Apache-2.0
// The part of libyaml that Weir uses: its parser, event by event.
#ifndef C_YAML_H
#define C_YAML_H

#include <yaml.h>

#endif
