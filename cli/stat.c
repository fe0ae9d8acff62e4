/* SPDX-License-Identifier: MIT */
/* azcryptfs stat: what is known of a file without its key: sizes, version, how it is sealed. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cli/command.h"
#include "cli/exit.h"

#define XATTR_PREFIX "user.azcrypt."

struct stat_run {
	struct command_context context;
	bool json;
	const struct command_target *t; /* the one that is looked at now */
};

static int
take(void *arg, int option, const char *value, struct err *e)
{
	struct stat_run *s = arg;

	(void)option;
	(void)value;
	(void)e;
	s->json = true;
	return 0;
}

/* Sizes are numbers, everything else is text. */
static json_t *
value_of(const struct view_xattr *x)
{
	uint64_t n;

	if (strstr(x->name, "size") == NULL && strstr(x->name, "length") == NULL)
		return json_string(x->value);
	if (!u64_parse_str(x->value, &n) || n > INT64_MAX)
		return json_string(x->value);
	return json_integer((json_int_t)n);
}

static const char *
label_of(const struct view_xattr *x)
{
	return strncmp(x->name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0
		       ? x->name + strlen(XATTR_PREFIX)
		       : x->name;
}

/* The members in the order in which both forms print them. */
static json_t *
describe(const struct stat_run *s, const struct view_item *item)
{
	struct view_xattr x[VIEW_XATTRS_MAX];
	struct view *v = command_target_view(s->t);
	char when[COMMAND_TIME_MAX];
	json_t *o = json_object();
	unsigned n;

	(void)json_object_set_new(o, "name", json_string(buf_str(&s->t->path)));
	(void)json_object_set_new(o, "type", json_string(item->dir ? "directory" : "file"));
	if (item->dir)
		return o;
	command_time(item->mtime_ns, when);
	(void)json_object_set_new(o, "size",
				  json_integer((json_int_t)u64_min(item->size, INT64_MAX)));
	(void)json_object_set_new(o, "size_exact", json_boolean(item->exact));
	(void)json_object_set_new(o, "modified", json_string(when));
	n = v->ops->xattrs(v, item->etag, item->size, item->record, x);
	for (unsigned i = 0; i < n; i++)
		(void)json_object_set_new(o, label_of(&x[i]), value_of(&x[i]));
	return o;
}

static void
print_text(const json_t *o)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)o, key, value)
	{
		if (json_is_string(value))
			(void)printf("%-14s %s\n", key, json_string_value(value));
		else if (json_is_integer(value))
			(void)printf("%-14s %" JSON_INTEGER_FORMAT "\n", key,
				     json_integer_value(value));
		else
			(void)printf("%-14s %s\n", key, json_is_true(value) ? "yes" : "no");
	}
}

static int
see_item(void *arg, const struct view_item *item, struct err *e)
{
	const struct stat_run *s = arg;
	json_t *o = describe(s, item);
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;

	if (text == NULL) {
		json_decref(o);
		return err_set(e, ENOMEM, "out of memory");
	}
	if (s->json)
		(void)printf("%s\n", text);
	else
		print_text(o);
	free(text);
	json_decref(o);
	return 0;
}

static int
stat_one(void *arg, const char *text)
{
	const struct view_item root = { .name = "", .dir = true, .etag = "" };
	struct stat_run *s = arg;
	struct command_target t;
	struct err e = { 0 };
	int r = command_target_open(&s->context, text, &t, &e);

	if (r == 0) {
		s->t = &t;
		if (t.path.n == 0)
			r = see_item(s, &root, &e);
		else
			r = view_lookup(command_target_view(&t), buf_str(&t.path),
					(struct view_sink){ see_item, s }, build_deadline(&t.build),
					&e);
		command_target_close(&t);
	}
	return r < 0 ? exit_report("stat", t.shown, &e) : EXIT_DONE;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct stat_run s = { 0 };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	first = command_parse(c, argc, argv, &(struct command_line){ &s.context.options, take, &s },
			      &e);
	if (first == argc)
		first = err_set(&e, EINVAL, "no SOURCE/PATH given");
	if (first > 0)
		status = command_for_each(argc, argv, first, stat_one, &s);
	else if (e.no != 0)
		status = command_misused(c, &e);
	command_context_clear(&s.context);
	return status;
}

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ 0 },
};

const struct command command_stat = {
	.name = "stat",
	.usage = "[--json] [-o OPTIONS] SOURCE/PATH...",
	.summary = "Shows sizes, version and how a file is sealed, without its key",
	.help = "  --json   one JSON object a line\n",
	.shorts = "",
	.longs = longs,
	.run = run,
};
