/* SPDX-License-Identifier: MIT */
/* A sink that writes a line for each entry: "o NAME SIZE ETAG[ flags][ {envelope}]" or "p NAME/".
 */
#ifndef TESTS_UNIT_STORE_LINES_H
#define TESTS_UNIT_STORE_LINES_H

#include <stdio.h>
#include <string.h>

#include "backend/store/store.h"

struct lines {
	char text[8192];
};

static int
add_line(void *arg, const struct store_entry *entry, struct err *e)
{
	static const char *const types[] = { "", " page", " append" };
	struct lines *l = arg;
	size_t at = strlen(l->text);

	(void)e;
	if (entry->kind == STORE_PREFIX)
		(void)snprintf(l->text + at, sizeof(l->text) - at, "p %.*s\n", (int)entry->name.n,
			       (const char *)entry->name.p);
	else
		(void)snprintf(l->text + at, sizeof(l->text) - at, "o %.*s %llu %s%s%s%s%s%s%.*s\n",
			       (int)entry->name.n, (const char *)entry->name.p,
			       (unsigned long long)entry->size, entry->etag, types[entry->type],
			       entry->folder ? " folder" : "", entry->archived ? " archived" : "",
			       entry->metadata_hidden ? " hidden" : "",
			       entry->envelope.p != NULL ? " " : "", (int)entry->envelope.n,
			       entry->envelope.p != NULL ? (const char *)entry->envelope.p : "");
	return 0;
}

static inline struct store_list_sink
lines_sink(struct lines *l)
{
	l->text[0] = '\0';
	return (struct store_list_sink){ add_line, l };
}

#endif
