/* SPDX-License-Identifier: MIT */
/* Values of options: see value.h. */
#include "cli/value.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/store/azattr.h"
#include "base/clock.h"
#include "base/num.h"

enum { SECONDS_MAX = 1000000000, MODE_MAX = 0777 };

/* "12" or "12.5": nanoseconds; digits beyond the ninth decimal are cut. */
static bool
parse_seconds(const char *text, int64_t *out)
{
	const char *point = strchrnul(text, '.');
	uint64_t whole = 0, part = 0;

	if (point != text && !u64_parse(text, (size_t)(point - text), &whole))
		return false;
	if (point == text && *point == '\0')
		return false;
	if (*point == '.') {
		uint64_t unit = NS_PER_S / 10;

		if (point[1] == '\0')
			return false;
		for (const char *p = point + 1; *p != '\0'; p++, unit /= 10) {
			if (*p < '0' || *p > '9')
				return false;
			part += (uint64_t)(*p - '0') * unit;
		}
	}
	if (whole > SECONDS_MAX)
		return false;
	*out = (int64_t)(whole * NS_PER_S + part);
	return true;
}

/* "Z", or "+01:30": how far ahead of UTC, in seconds. */
static bool
parse_zone(const char *text, int64_t *out)
{
	uint64_t hours, minutes;

	*out = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if ((text[0] != '+' && text[0] != '-') || strlen(text) != 6 || text[3] != ':' ||
	    !u64_parse(text + 1, 2, &hours) || !u64_parse(text + 4, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*out = (int64_t)(hours * 3600 + minutes * 60);
	if (text[0] == '-')
		*out = -*out;
	return true;
}

/* Services know their months; users may write February 30. */
static bool
is_on_day(int64_t at, const char *digits)
{
	const time_t seconds = (time_t)at;
	struct tm tm;
	uint64_t day;

	return u64_parse(digits, 2, &day) && gmtime_r(&seconds, &tm) != NULL &&
	       (uint64_t)tm.tm_mday == day;
}

bool
value_time(const char *text, int64_t *out)
{
	enum { CLOCK = sizeof("2026-11-20T12:00:00") - 1 };
	char utc[CLOCK + 2];
	const char *zone = text + CLOCK;
	int64_t at, ahead;

	if (strlen(text) <= CLOCK)
		return false;
	memcpy(utc, text, CLOCK);
	memcpy(utc + CLOCK, "Z", 2);
	if (*zone == '.') {
		const size_t digits = strspn(zone + 1, "0123456789");

		if (digits == 0)
			return false;
		zone += 1 + digits;
	}
	if (!azattr_iso_date(utc, &at) || !is_on_day(at, utc + strlen("2026-11-")) ||
	    !parse_zone(zone, &ahead))
		return false;
	*out = at - ahead;
	return true;
}

static bool
parse_mode(const char *text, mode_t *out)
{
	mode_t mode = 0;

	if (text[0] == '\0' || strlen(text) > 4)
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '7')
			return false;
		mode = mode * 8 + (mode_t)(*p - '0');
	}
	if (mode > MODE_MAX)
		return false;
	*out = mode;
	return true;
}

/* (uid_t)-1 means "leave it" to the kernel. */
static bool
parse_id(const char *text, uint32_t *out)
{
	uint64_t n;

	if (!u64_parse_str(text, &n) || n >= UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool
parse_count(const char *text, uint64_t *out)
{
	uint64_t n;

	if (!u64_parse_str(text, &n) || n == 0 || n > 1000000000)
		return false;
	*out = n;
	return true;
}

static bool
parse_user(const char *text, uint32_t *out)
{
	struct passwd entry, *found = NULL;
	char room[4096];

	if (parse_id(text, out))
		return true;
	if (getpwnam_r(text, &entry, room, sizeof(room), &found) != 0 || found == NULL)
		return false;
	*out = found->pw_uid;
	return true;
}

static bool
parse_group(const char *text, uint32_t *out)
{
	struct group entry, *found = NULL;
	char room[16384];

	if (parse_id(text, out))
		return true;
	if (getgrnam_r(text, &entry, room, sizeof(room), &found) != 0 || found == NULL)
		return false;
	*out = found->gr_gid;
	return true;
}

static bool
parse_flag(const char *text, bool *out)
{
	static const char *const words[2][4] = { { "no", "false", "off", "0" },
						 { "yes", "true", "on", "1" } };

	for (int yes = 0; yes < 2; yes++)
		for (size_t i = 0; i < ARRAY_LEN(words[yes]); i++)
			if (strcmp(text, words[yes][i]) == 0) {
				*out = yes == 1;
				return true;
			}
	return false;
}

/* Whether text is one of the words of "a|b|c". */
static bool
is_choice(const char *choices, const char *text)
{
	const size_t n = strlen(text);

	for (const char *p = choices;;) {
		const size_t word = strcspn(p, "|");

		if (word == n && memcmp(p, text, n) == 0)
			return true;
		if (p[word] == '\0')
			return false;
		p += word + 1;
	}
}

/* What a value of the kind looks like, for the sentence. */
static const char *
expected(const struct option_row *row)
{
	switch (row->kind) {
	case OPTION_FLAG:
		return "yes or no";
	case OPTION_SIZE:
		return "a size such as 256M";
	case OPTION_SECONDS:
		return "seconds, such as 1.5";
	case OPTION_COUNT:
		return "a whole number from 1";
	case OPTION_USER:
		return "a user's name or number";
	case OPTION_GROUP:
		return "a group's name or number";
	case OPTION_MODE:
		return "an octal number up to 0777";
	case OPTION_CHOICE:
		return row->value;
	case OPTION_TEXT:
	case OPTION_FILE:
		break;
	}
	return "a text";
}

static bool
fits(const struct option_row *row, const char *text)
{
	int64_t ns;
	uint64_t bytes;
	uint32_t id;
	mode_t mode;
	bool yes;

	switch (row->kind) {
	case OPTION_FLAG:
		return parse_flag(text, &yes);
	case OPTION_SIZE:
		return u64_parse_size(text, &bytes) && bytes > 0;
	case OPTION_SECONDS:
		return parse_seconds(text, &ns);
	case OPTION_COUNT:
		return parse_count(text, &bytes);
	case OPTION_USER:
		return parse_user(text, &id);
	case OPTION_GROUP:
		return parse_group(text, &id);
	case OPTION_MODE:
		return parse_mode(text, &mode);
	case OPTION_CHOICE:
		return is_choice(row->value, text);
	case OPTION_TEXT:
	case OPTION_FILE:
		break;
	}
	return true;
}

int
value_check(const struct option_row *row, const char *text, struct err *e)
{
	if (text == NULL && row->kind == OPTION_FLAG)
		return 0;
	if (text == NULL || text[0] == '\0')
		return err_set(e, EINVAL, "needs a value: %s",
			       row->value != NULL ? row->value : expected(row));
	if (!fits(row, text))
		return err_set(e, EINVAL, "\"%.60s\" is not %s%s", text,
			       row->kind == OPTION_CHOICE ? "one of " : "", expected(row));
	if (row == &options_table[OPT_TIMEOUT] && value_ns(text) == 0)
		return err_set(e, EINVAL, "a deadline of 0 seconds is over before anything begins");
	return 0;
}

int
value_absolute(const char *name, const char *prefix, const char *base, char **out, struct err *e)
{
	char here[PATH_MAX];
	int n;

	if (name[0] != '/' && base == NULL) {
		if (getcwd(here, sizeof(here)) == NULL)
			return err_set(e, errno, "current directory: %s", strerrordesc_np(errno));
		base = here;
	}
	if (name[0] == '/')
		n = asprintf(out, "%s%s", prefix, name);
	else
		n = asprintf(out, "%s%s/%s", prefix, base, name);
	return n < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

uint64_t
value_count(const char *text)
{
	uint64_t n = 0;
	const bool ok = parse_count(text, &n);

	assert(ok);
	return n;
}

int64_t
value_ns(const char *text)
{
	int64_t ns = 0;
	const bool ok = parse_seconds(text, &ns);

	assert(ok);
	return ns;
}

uint64_t
value_bytes(const char *text)
{
	uint64_t n = 0;
	const bool ok = u64_parse_size(text, &n);

	assert(ok);
	return n;
}

bool
value_yes(const char *text)
{
	bool yes = false;
	const bool ok = parse_flag(text, &yes);

	assert(ok);
	return yes;
}

mode_t
value_mode(const char *text)
{
	mode_t mode = 0;
	const bool ok = parse_mode(text, &mode);

	assert(ok);
	return mode;
}

uint32_t
value_user(const char *text)
{
	uint32_t id = 0;
	const bool ok = parse_user(text, &id);

	assert(ok);
	return id;
}

uint32_t
value_group(const char *text)
{
	uint32_t id = 0;
	const bool ok = parse_group(text, &id);

	assert(ok);
	return id;
}
