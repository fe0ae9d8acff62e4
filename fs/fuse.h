/* SPDX-License-Identifier: MIT */
/* libfuse, with the one API version that this program is written for. */
#ifndef FS_FUSE_H
#define FS_FUSE_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#endif
