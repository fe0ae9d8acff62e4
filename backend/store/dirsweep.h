/* SPDX-License-Identifier: MIT */
/* Removing what killed writers have left in the staging directory of a dir: store. */
#ifndef BACKEND_STORE_DIRSWEEP_H
#define BACKEND_STORE_DIRSWEEP_H

#include "base/clock.h"

enum { DIRSWEEP_AGE_S = 24 * 3600 };

/* What is older than a day and nobody has open goes; what cannot be removed stays. */
void dirsweep(int objects, int stage, struct deadline d);

#endif
