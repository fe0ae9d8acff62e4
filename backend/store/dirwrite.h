/* SPDX-License-Identifier: MIT */
/*
 * Writing to a dir: store.  Several processes may do it at once.  Every write is synced before it
 * is reported.  A copy shares its content file with the source where the filesystem has hard links.
 */
#ifndef BACKEND_STORE_DIRWRITE_H
#define BACKEND_STORE_DIRWRITE_H

#include "backend/store/storewrite.h"

extern const struct store_write_ops dirwrite_ops;

#endif
