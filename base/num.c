/* SPDX-License-Identifier: MIT */
/* Numbers from text. */
#include "base/num.h"

#include <string.h>

bool
u64_parse(const char *digits, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 20)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return false;
		if (!u64_mul(v, 10, &v) || !u64_add(v, (uint64_t)(digits[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

bool
u64_parse_str(const char *s, uint64_t *out)
{
	return u64_parse(s, strlen(s), out);
}

/* How far a unit shifts; -1 for an unknown one. */
static int
unit_shift(const char *unit)
{
	static const struct {
		const char *name;
		int shift;
	} units[] = {
		{ "", 0 },     { "B", 0 },  { "K", 10 },   { "KiB", 10 }, { "M", 20 },
		{ "MiB", 20 }, { "G", 30 }, { "GiB", 30 }, { "k", 10 },	  { "m", 20 },
		{ "g", 30 },   { "T", 40 }, { "TiB", 40 },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].shift;
	return -1;
}

bool
u64_parse_size(const char *s, uint64_t *out)
{
	size_t n = strspn(s, "0123456789");
	int shift = unit_shift(s + n);
	uint64_t v;

	if (shift < 0 || !u64_parse(s, n, &v) || !u64_mul(v, UINT64_C(1) << shift, &v))
		return false;
	*out = v;
	return true;
}
