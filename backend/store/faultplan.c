/* SPDX-License-Identifier: MIT */
/* The script of a store that fails on purpose: see faultplan.h. */
#include "backend/store/faultplan.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

enum { RULE_TEXT_MAX = 127, ERRNO_MAX = 133, STALL_STEP_MS = 100 };

const char *const faultplan_ops[FAULT_OPS] = { "list", "probe",	 "head",   "get",
					       "put",  "block",	 "commit", "meta",
					       "copy", "delete", "folder", "properties" };
static const char *const action_names[] = { "errno", "delay", "cut", "flip", "stall", "lost" };

static bool
parse_op(const char *text, struct fault_rule *rule)
{
	const char *colon = strchrnul(text, ':');
	const size_t n = (size_t)(colon - text);
	uint64_t nth;

	for (unsigned i = 0; i < FAULT_OPS; i++) {
		if (strlen(faultplan_ops[i]) != n || strncmp(text, faultplan_ops[i], n) != 0)
			continue;
		rule->op = (enum fault_op)i;
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
parse_action(const char *name, const char *arg, struct fault_rule *rule)
{
	for (unsigned i = 0; i < ARRAY_LEN(action_names); i++) {
		if (strcmp(name, action_names[i]) != 0)
			continue;
		rule->action = (enum fault_action)i;
		if (rule->action == FAULT_STALL)
			return arg == NULL;
		if (rule->action == FAULT_LOST)
			return arg == NULL && rule->op >= FAULT_PUT && rule->op < FAULT_PROPERTIES;
		if (arg == NULL || (rule->action == FAULT_FLIP && rule->op != FAULT_GET) ||
		    (rule->action == FAULT_CUT && rule->op >= FAULT_PUT))
			return false;
		if (rule->action == FAULT_ERRNO)
			return parse_errno(arg, &rule->arg);
		if (!u64_parse_str(arg, &rule->arg))
			return false;
		return rule->action != FAULT_DELAY || rule->arg <= UINT32_MAX;
	}
	return false;
}

static bool
parse_rule(const char *text, size_t n, struct fault_rule *rule)
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

int
faultplan_parse(const char *script, struct faultplan *f, struct err *e)
{
	while (*script != '\0') {
		const size_t n = strcspn(script, ";");
		struct fault_rule rule = { .nth = 0 };

		if (strspn(script, " \t\n") < n) {
			if (f->n == FAULT_RULES_MAX)
				return err_set(e, EINVAL, "more than %d rules", FAULT_RULES_MAX);
			if (!parse_rule(script, n, &rule))
				return err_set(e, EINVAL, "not a rule: '%.*s'",
					       n < 100 ? (int)n : 100, script);
			f->rule[f->n++] = rule;
		}
		script += n + (script[n] == ';');
	}
	return 0;
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
act(const struct fault_rule *rule, struct fault_call *call, struct deadline d, struct err *e)
{
	switch (rule->action) {
	case FAULT_ERRNO:
		return err_set(e, (int)rule->arg, "fault: %s", err_name((int)rule->arg));
	case FAULT_DELAY:
		delay(rule->arg, d);
		return 0;
	case FAULT_CUT:
		call->cuts = true;
		call->cut_at = rule->arg;
		return 0;
	case FAULT_FLIP:
		call->flips = true;
		call->flip_at = rule->arg;
		return 0;
	case FAULT_STALL:
		return stall(d, e);
	case FAULT_LOST:
		call->lost = true;
		return 0;
	}
	return 0;
}

int
faultplan_apply(struct fault *f, enum fault_op op, struct fault_call *call, struct deadline d,
		struct err *e)
{
	const unsigned nth = atomic_fetch_add(&f->calls[op], 1) + 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->plan.n; i++) {
		const struct fault_rule *rule = &f->plan.rule[i];

		if (rule->op == op &&
		    (rule->nth == 0 || rule->nth == nth || (rule->onwards && nth > rule->nth)))
			r = act(rule, call, d, e);
	}
	return r;
}
