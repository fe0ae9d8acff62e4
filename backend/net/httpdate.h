/* SPDX-License-Identifier: MIT */
/* Dates as HTTP writes them: "Fri, 20 Nov 2026 00:00:00 GMT". */
#ifndef BACKEND_NET_HTTPDATE_H
#define BACKEND_NET_HTTPDATE_H

#include <stdint.h>

#include "backend/net/http.h"

/* Appends the date of that many seconds since 1970; -EINVAL when no calendar has it. */
int httpdate_write(int64_t wall_s, struct buf *out, struct err *e) MUST_CHECK;

/* Adds the header x-ms-date, which signatures cover: now. */
int httpdate_add(struct http_attempt *at, struct err *e) MUST_CHECK;

#endif
