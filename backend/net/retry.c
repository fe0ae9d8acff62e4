/* SPDX-License-Identifier: MIT */
/* Retry rules: see retry.h. */
#include "backend/net/retry.h"

#include <curl/curl.h>
#include <string.h>

#include "base/num.h"

static const int64_t first_ceiling_ns = 200 * NS_PER_MS;
static const uint64_t longest_s = UINT64_C(10) * 366 * 86400;

bool
retry_status(int status)
{
	if (status == 408 || status == 429)
		return true;
	return status >= 500 && status <= 599 && status != 501 && status != 505;
}

int64_t
retry_backoff_ns(unsigned attempts, int64_t ceiling_ns, uint32_t random)
{
	int64_t span = first_ceiling_ns;

	for (unsigned i = 1; i < attempts && span < ceiling_ns; i++)
		span *= 2;
	if (span > ceiling_ns)
		span = ceiling_ns;
	return (int64_t)((double)span * ((double)random / UINT32_MAX));
}

/*
 * "Sun, 06 Nov 1994 08:49:37 GMT"; the other two spellings of old are not sent by any service here.
 */
static int64_t
date_ns(const char *value, int64_t wall_s)
{
	enum { DATE_LEN = 29 };
	time_t at;

	if (strlen(value) != DATE_LEN || strcmp(value + DATE_LEN - 4, " GMT") != 0)
		return 0;
	at = curl_getdate(value, NULL);
	if (at == -1 || at <= wall_s || (uint64_t)(at - wall_s) > longest_s)
		return 0;
	return (at - wall_s) * NS_PER_S;
}

int64_t
retry_after_ns(const struct http_response *r, int64_t wall_s)
{
	AUTO_BUF scratch;
	const char *value;
	uint64_t n;

	buf_init(&scratch, 64);
	value = http_header_get(r, "x-ms-retry-after-ms", &scratch);
	if (value != NULL && u64_parse_str(value, &n))
		return (int64_t)u64_min(n, longest_s * 1000) * NS_PER_MS;
	value = http_header_get(r, "retry-after", &scratch);
	if (value == NULL)
		return 0;
	if (u64_parse_str(value, &n))
		return (int64_t)u64_min(n, longest_s) * NS_PER_S;
	return date_ns(value, wall_s);
}
