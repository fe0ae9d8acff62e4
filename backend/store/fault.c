/* SPDX-License-Identifier: MIT */
/* A store that fails on purpose: see fault.h. */
#include "backend/store/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

enum { RULES_MAX = 32, RULE_TEXT_MAX = 127, ERRNO_MAX = 133, STALL_STEP_MS = 100 };

enum op { OP_LIST, OP_PROBE, OP_HEAD, OP_GET, OPS };
enum action { ACTION_ERRNO, ACTION_DELAY, ACTION_CUT, ACTION_FLIP, ACTION_STALL };

static const char *const op_names[OPS] = { "list", "probe", "head", "get" };
static const char *const action_names[] = { "errno", "delay", "cut", "flip", "stall" };

struct rule {
	enum op op;
	unsigned nth; /* 0 = every call */
	bool onwards;
	enum action action;
	uint64_t arg;
};

struct fault {
	struct store store;
	struct store *inner;
	atomic_uint calls[OPS];
	size_t n;
	struct rule rules[RULES_MAX];
};

/* What is to happen to the bytes or entries of one call. */
struct plan {
	bool cuts, flips;
	uint64_t cut_at, flip_at;
	uint64_t at; /* entries so far, or the offset in the object */
	uint64_t sent;
	uint64_t start;
	struct store_list_sink list;
	struct store_get_sink get;
};

static struct fault *
of(struct store *s)
{
	return (struct fault *)s; /* store is the first member */
}

/* ---- what is done */

static int
stall(struct deadline d, struct err *e)
{
	while (deadline_left_ns(d) > 0 && !clock_stopped())
		clock_sleep_ns(
			(int64_t)u64_min((uint64_t)deadline_left_ns(d), STALL_STEP_MS * NS_PER_MS));
	return err_set(e, ETIMEDOUT, "fault: stalled until the deadline");
}

static void
delay(uint64_t ms, struct deadline d)
{
	clock_sleep_ns((int64_t)u64_min(ms * (uint64_t)NS_PER_MS, (uint64_t)deadline_left_ns(d)));
}

static int
act(const struct rule *rule, struct plan *p, struct deadline d, struct err *e)
{
	switch (rule->action) {
	case ACTION_ERRNO:
		return err_set(e, (int)rule->arg, "fault: %s", err_name((int)rule->arg));
	case ACTION_DELAY:
		delay(rule->arg, d);
		return 0;
	case ACTION_CUT:
		p->cuts = true;
		p->cut_at = rule->arg;
		return 0;
	case ACTION_FLIP:
		p->flips = true;
		p->flip_at = rule->arg;
		return 0;
	case ACTION_STALL:
		return stall(d, e);
	}
	return 0;
}

/* Counts the call and does what the rules say about it; *p is what remains to be done to its bytes.
 */
static int
apply(struct fault *f, enum op op, struct plan *p, struct deadline d, struct err *e)
{
	const unsigned call = atomic_fetch_add(&f->calls[op], 1) + 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n; i++) {
		const struct rule *rule = &f->rules[i];

		if (rule->op == op &&
		    (rule->nth == 0 || rule->nth == call || (rule->onwards && call > rule->nth)))
			r = act(rule, p, d, e);
	}
	return r;
}

static int
cut(struct err *e)
{
	return err_set(e, EIO, "fault: cut off");
}

static int
on_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	struct plan *p = arg;

	if (p->cuts && p->sent == p->cut_at)
		return cut(e);
	p->sent++;
	return p->list.entry(p->list.arg, entry, e);
}

static int
on_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct plan *p = arg;

	p->sent = 0;
	p->at = p->start;
	return p->get.begin != NULL ? p->get.begin(p->get.arg, entry, e) : 0;
}

static int
send(struct plan *p, struct span piece, struct err *e)
{
	p->at += piece.n;
	p->sent += piece.n;
	return piece.n > 0 ? p->get.data(p->get.arg, piece, e) : 0;
}

/* In three parts, the one in the middle being the flipped byte. */
static int
send_flipped(struct plan *p, struct span piece, struct err *e)
{
	const size_t before = (size_t)(p->flip_at - p->at);
	const uint8_t flipped = piece.p[before] ^ 1;
	int r = send(p, span_of(piece.p, before), e);

	if (r == 0)
		r = send(p, span_of(&flipped, 1), e);
	return r != 0 ? r : send(p, span_of(piece.p + before + 1, piece.n - before - 1), e);
}

static int
on_data(void *arg, struct span piece, struct err *e)
{
	struct plan *p = arg;
	const bool last = p->cuts && p->cut_at - p->sent < piece.n;
	int r;

	if (last)
		piece.n = (size_t)(p->cut_at - p->sent);
	if (p->flips && p->flip_at >= p->at && p->flip_at - p->at < piece.n)
		r = send_flipped(p, piece, e);
	else
		r = send(p, piece, e);
	return r == 0 && last ? cut(e) : r;
}

/* What the inner store has found out about itself shows here too. */
static int
done(struct fault *f, int r)
{
	f->store.listable = f->inner->listable;
	return r;
}

/* ---- the script */

static bool
parse_op(const char *text, struct rule *rule)
{
	const char *colon = strchrnul(text, ':');
	const size_t n = (size_t)(colon - text);
	uint64_t nth;

	for (unsigned i = 0; i < OPS; i++) {
		if (strlen(op_names[i]) != n || strncmp(text, op_names[i], n) != 0)
			continue;
		rule->op = (enum op)i;
		if (*colon == '\0')
			return true;
		colon++;
		rule->onwards = colon[0] != '\0' && colon[strlen(colon) - 1] == '+';
		if (!u64_parse(colon, strlen(colon) - rule->onwards, &nth) || nth == 0 ||
		    nth > UINT32_MAX)
			return false;
		rule->nth = (unsigned)nth;
		return true;
	}
	return false;
}

static bool
parse_errno(const char *name, uint64_t *out)
{
	for (int no = 1; no <= ERRNO_MAX; no++) {
		const char *known = strerrorname_np(no);

		if (known != NULL && strcmp(known, name) == 0) {
			*out = (uint64_t)no;
			return true;
		}
	}
	return false;
}

static bool
parse_action(const char *name, const char *arg, struct rule *rule)
{
	for (unsigned i = 0; i < ARRAY_LEN(action_names); i++) {
		if (strcmp(name, action_names[i]) != 0)
			continue;
		rule->action = (enum action)i;
		if (rule->action == ACTION_STALL)
			return arg == NULL;
		if (arg == NULL || (rule->action == ACTION_FLIP && rule->op != OP_GET))
			return false;
		if (rule->action == ACTION_ERRNO)
			return parse_errno(arg, &rule->arg);
		if (!u64_parse_str(arg, &rule->arg))
			return false;
		return rule->action != ACTION_DELAY || rule->arg <= UINT32_MAX;
	}
	return false;
}

static bool
parse_rule(const char *text, size_t n, struct rule *rule)
{
	char copy[RULE_TEXT_MAX + 1], *rest = copy;
	const char *word[4] = { NULL };
	size_t words = 0;
	char *token;

	if (n > RULE_TEXT_MAX)
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	while ((token = strsep(&rest, " \t\n")) != NULL)
		if (token[0] != '\0' && words < ARRAY_LEN(word))
			word[words++] = token;
	return (words == 2 || words == 3) && parse_op(word[0], rule) &&
	       parse_action(word[1], word[2], rule);
}

static int
parse_script(struct fault *f, const char *script, struct err *e)
{
	while (*script != '\0') {
		const size_t n = strcspn(script, ";");
		struct rule rule = { .nth = 0 };

		if (strspn(script, " \t\n") < n) {
			if (f->n == RULES_MAX)
				return err_set(e, EINVAL, "more than %d rules", RULES_MAX);
			if (!parse_rule(script, n, &rule))
				return err_set(e, EINVAL, "not a rule: '%.*s'",
					       n < 100 ? (int)n : 100, script);
			f->rules[f->n++] = rule;
		}
		script += n + (script[n] == ';');
	}
	return 0;
}

/* ---- the store */

static int
fault_list(struct store *s, struct span prefix, bool delimited, unsigned max, struct buf *cursor,
	   struct store_list_sink sink, struct deadline d, struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .list = sink };
	int r = apply(f, OP_LIST, &p, d, e);

	if (r < 0)
		return r;
	return done(f, store_list(f->inner, prefix, delimited, max, cursor,
				  (struct store_list_sink){ on_entry, &p }, d, e));
}

static int
fault_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
	    struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .list = sink };
	int r = apply(f, OP_PROBE, &p, d, e);

	if (r < 0)
		return r;
	return done(f, store_probe(f->inner, name, (struct store_list_sink){ on_entry, &p }, d, e));
}

static int
fault_head(struct store *s, const char *name, const char *if_none_match,
	   struct store_list_sink sink, bool *out_same, struct deadline d, struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .list = sink };
	int r = apply(f, OP_HEAD, &p, d, e);

	if (r < 0)
		return r;
	r = store_head(f->inner, name, if_none_match, (struct store_list_sink){ on_entry, &p },
		       out_same, d, e);
	return done(f, r);
}

static int
fault_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	  struct deadline d, struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .get = sink, .start = get->off };
	int r = apply(f, OP_GET, &p, d, e);

	if (r < 0)
		return r;
	return done(f, store_get(f->inner, get, (struct store_get_sink){ on_begin, on_data, &p },
				 out_same, d, e));
}

static void
fault_free(struct store *s)
{
	struct fault *f = of(s);

	store_free(f->inner);
	free(f);
}

static const struct store_ops fault_ops = {
	.name = "fault",
	.list = fault_list,
	.probe = fault_probe,
	.head = fault_head,
	.get = fault_get,
	.free = fault_free,
};

int
fault_store_new_take(struct store *inner, const char *script, struct store **out, struct err *e)
{
	struct fault *f = calloc(1, sizeof(*f));
	int r;

	if (f == NULL) {
		store_free(inner);
		return err_set(e, ENOMEM, "out of memory");
	}
	f->store.ops = &fault_ops;
	f->inner = inner;
	memcpy(f->store.label, inner->label, sizeof(f->store.label));
	f->store.listable = inner->listable;
	r = parse_script(f, script, e);
	if (r < 0) {
		fault_free(&f->store);
		return r;
	}
	*out = &f->store;
	return 0;
}

unsigned
fault_store_calls(struct store *s, const char *op)
{
	assert(s->ops == &fault_ops);
	for (unsigned i = 0; i < OPS; i++)
		if (strcmp(op, op_names[i]) == 0)
			return atomic_load(&of(s)->calls[i]);
	return 0;
}
