/* SPDX-License-Identifier: MIT */
/* Dates as HTTP writes them: see httpdate.h. */
#include "backend/net/httpdate.h"

#include <errno.h>
#include <time.h>

enum { DATE_MAX = 64 };

/* Not strftime: month names must not follow the user's locale. */
int
httpdate_write(int64_t wall_s, struct buf *out, struct err *e)
{
	static const char days[] = "SunMonTueWedThuFriSat",
			  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const time_t when = (time_t)wall_s;
	struct tm t;

	if (gmtime_r(&when, &t) == NULL)
		return err_set(e, EINVAL, "the system's clock is not set");
	return buf_addf(out, e, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t.tm_wday,
			t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min,
			t.tm_sec);
}

int
httpdate_add(struct http_attempt *at, struct err *e)
{
	AUTO_BUF text;
	int r;

	buf_init(&text, DATE_MAX);
	r = httpdate_write(clock_wall_s(), &text, e);
	return r < 0 ? r : http_attempt_header(at, "x-ms-date", buf_str(&text), e);
}
