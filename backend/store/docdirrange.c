/* SPDX-License-Identifier: MIT */
/* Which names a selection asks for: see docdirrange.h. */
#include "backend/store/docdirrange.h"

#include <errno.h>
#include <stdio.h>

#include "backend/store/cosmosrange.h"

static const char end[] = "FF";

static int
take_bounds(const struct docstore_select *sel, struct docdirrange *out, struct err *e)
{
	const char *min = sel->min != NULL ? sel->min : "",
		   *max = sel->max != NULL ? sel->max : end;
	const bool to_end = strcmp(max, end) == 0;

	if (!cosmosrange_is_key(min) || !cosmosrange_is_key(max) || strcmp(min, end) == 0 ||
	    (!to_end && strcmp(min, max) >= 0))
		return err_set(e, EINVAL, "these are no bounds of effective partition keys");
	out->min = min;
	out->max = to_end ? NULL : max;
	return 0;
}

int
docdirrange_of(const struct docstore_select *sel, struct docdirrange *out, struct err *e)
{
	struct docdirrange range = { .one = sel->partition != NULL };
	struct docname name;
	int r = take_bounds(sel, &range, e);

	if (r == 0 && range.one)
		r = docname_of(span_str(sel->partition), span_str(""), &name, e);
	if (r < 0)
		return r;
	if (range.one)
		memcpy(range.partition, name.b, DOCNAME_PARTITION);
	*out = range;
	return 0;
}

bool
docdirrange_meets(const struct docdirrange *r, uint8_t first)
{
	char half[3];

	if (r->one && r->partition[0] != first)
		return false;
	(void)snprintf(half, sizeof(half), "%02X", first);
	return strncmp(half, r->min, 2) >= 0 && (r->max == NULL || strcmp(half, r->max) < 0);
}

bool
docdirrange_has(const struct docdirrange *r, const struct docname *name)
{
	char text[DOCNAME_TEXT + 1];

	if (r->one && memcmp(name->b, r->partition, DOCNAME_PARTITION) != 0)
		return false;
	if (r->min[0] == '\0' && r->max == NULL)
		return true;
	docname_print(name, text);
	text[DOCNAME_EPK] = '\0';
	return strcmp(text, r->min) >= 0 && (r->max == NULL || strcmp(text, r->max) < 0);
}
