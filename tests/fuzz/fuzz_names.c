/* SPDX-License-Identifier: MIT */
/*
 * Target: names_escape, names_unescape (fs/names.c).
 * Properties: a component becomes a file name (1..255 bytes of UTF-8, no '/', not "." or "..", no
 * control characters) that stands for it and for nothing else, plain and behind a directory; the
 * two differ; a file name that a component was read from is the one it is written to.  The input
 * is split at its first NUL: two components must not meet in one name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/names.h"

enum { COMPONENT_MAX = 1500 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
check_file_name(const char *name)
{
	need(name[0] != '\0' && strlen(name) <= NAMES_FILE_MAX);
	need(strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strchr(name, '/') == NULL);
	for (const char *p = name; *p != '\0'; p++)
		need((uint8_t)*p >= 0x20 && *p != 0x7f);
}

static void
write_name(struct span c, bool shadowed, struct buf *out)
{
	struct err e = { 0 };

	need(names_escape(c, shadowed, out, &e) == 0);
	check_file_name(buf_str(out));
}

/* What was written is read back, but for names that were cut. */
static void
check_component(struct span c, bool shadowed, struct buf *name)
{
	enum names_kind kind;
	struct err e = { 0 };
	AUTO_BUF back;

	buf_init(&back, 8192);
	write_name(c, shadowed, name);
	need(names_unescape(buf_str(name), &kind, &back, &e) == 0);
	if (kind == NAMES_ALIAS) {
		need(3 * c.n + 3 > NAMES_FILE_MAX);
		return;
	}
	need(kind == (shadowed ? NAMES_SHADOWED : NAMES_PLAIN));
	need(back.n == c.n && (c.n == 0 || memcmp(back.p, c.p, c.n) == 0));
}

/* Any bytes taken as a file name: it stands for one component, or for none. */
static void
check_any_name(const char *name)
{
	enum names_kind kind;
	struct err e = { 0 };
	AUTO_BUF back, again;

	buf_init(&back, 8192);
	buf_init(&again, 8192);
	need(names_unescape(name, &kind, &back, &e) == 0);
	if (kind == NAMES_NOTHING || kind == NAMES_ALIAS)
		return;
	write_name(buf_span(&back), kind == NAMES_SHADOWED, &again);
	need(strcmp(buf_str(&again), name) == 0);
}

/* No NUL, no '/': what a component is made of. */
static struct span
take_component(const uint8_t **at, size_t *left)
{
	const uint8_t *end = memchr(*at, '\0', *left);
	const size_t n = end != NULL ? (size_t)(end - *at) : *left;
	const uint8_t *slash = n > 0 ? memchr(*at, '/', n) : NULL;
	const struct span c = { *at, slash != NULL ? (size_t)(slash - *at) : n };

	*at += end != NULL ? n + 1 : n;
	*left -= end != NULL ? n + 1 : n;
	return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *at = data;
	size_t left = n < COMPONENT_MAX ? n : COMPONENT_MAX;
	char text[COMPONENT_MAX + 1];
	struct buf name[4];
	struct span a, b;

	for (int i = 0; i < 4; i++)
		buf_init(&name[i], 8192);
	memcpy(text, data, left);
	text[left] = '\0';
	check_any_name(text);
	a = take_component(&at, &left);
	b = take_component(&at, &left);
	check_component(a, false, &name[0]);
	check_component(a, true, &name[1]);
	check_component(b, false, &name[2]);
	check_component(b, true, &name[3]);
	need(strcmp(buf_str(&name[0]), buf_str(&name[1])) != 0);
	need(strcmp(buf_str(&name[0]), buf_str(&name[3])) != 0);
	need(strcmp(buf_str(&name[1]), buf_str(&name[2])) != 0);
	if (a.n != b.n || memcmp(a.p, b.p, a.n) != 0) {
		need(strcmp(buf_str(&name[0]), buf_str(&name[2])) != 0);
		need(strcmp(buf_str(&name[1]), buf_str(&name[3])) != 0);
	}
	for (int i = 0; i < 4; i++)
		buf_clear(&name[i]);
	return 0;
}
