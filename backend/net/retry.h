/* SPDX-License-Identifier: MIT */
/*
 * When to try again, and how long to wait before: rules only, no clock is read and nobody sleeps
 * here.
 */
#ifndef BACKEND_NET_RETRY_H
#define BACKEND_NET_RETRY_H

#include "backend/net/http.h"

/* 408, 429 and 5xx but 501 and 505. */
bool retry_status(int status);

/*
 * Full jitter: evenly from 0 to 0.2 s doubled for every attempt made (1..), up to ceiling_ns.
 * random: any 32 bits.
 */
int64_t retry_backoff_ns(unsigned attempts, int64_t ceiling_ns, uint32_t random);

/*
 * What the service asks for: x-ms-retry-after-ms, else Retry-After as seconds or as a date
 * (counted from wall_s). 0 when it asks for nothing, for the past, or for something unreadable.
 * Never more than ten years.
 */
int64_t retry_after_ns(const struct http_response *r, int64_t wall_s);

#endif
