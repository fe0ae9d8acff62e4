/* SPDX-License-Identifier: MIT */
/* Failures with a cause: see err.h. */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

/* Names may come from strangers: keep one line one line, and a terminal unharmed. */
static void
make_printable(char *s)
{
	while (*s != '\0') {
		const size_t len = printable_len(s);

		if (len == 0)
			*s = '?';
		s += len > 0 ? len : 1;
	}
}

int
err_set(struct err *e, int no, const char *fmt, ...)
{
	va_list ap;

	assert(no > 0);
	assert(e->no == 0);
	e->no = no;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	make_printable(e->text);
	return -no;
}

int
err_in(struct err *e, const char *fmt, ...)
{
	char context[sizeof(e->text)];
	size_t cause = strlen(e->text), room;
	va_list ap;

	assert(e->no > 0);
	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	make_printable(context);
	room = sizeof(e->text) - 1 - cause;
	if (room <= 2)
		return -e->no;
	if (strlen(context) > room - 2)
		context[room - 2] = '\0';
	memmove(e->text + strlen(context) + 2, e->text, cause + 1);
	memcpy(e->text, context, strlen(context));
	memcpy(e->text + strlen(context), ": ", 2);
	return -e->no;
}

int
err_mark(struct err *e, const char *event, const char *advice)
{
	assert(e->no > 0);
	if (event != NULL)
		e->event = event;
	if (advice != NULL)
		e->advice = advice;
	return -e->no;
}

void
err_key(struct err *e, const char *kid)
{
	(void)snprintf(e->key, sizeof(e->key), "%s", kid);
	make_printable(e->key);
}

void
err_request(struct err *e, const char *request_id)
{
	(void)snprintf(e->request_id, sizeof(e->request_id), "%s", request_id);
	make_printable(e->request_id);
}

void
err_clear(struct err *e)
{
	memset(e, 0, sizeof(*e));
}

const char *
err_name(int no)
{
	static _Thread_local char number[24];
	const char *name = strerrorname_np(no);

	if (name != NULL)
		return name;
	(void)snprintf(number, sizeof(number), "errno %d", no);
	return number;
}
