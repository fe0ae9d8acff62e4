/* SPDX-License-Identifier: MIT */
/*
 * Kept-alive connections: see client.h.  The one used last is taken first, so
 * that a quiet time lets the surplus grow old and go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/client.h"
#include "base/mutex.h"

enum { IDLE_MAX = 64 };

/* Load balancers drop a silent connection after four minutes, some services after one. */
static const int64_t idle_max_ns = 55 * NS_PER_S;

static void
conn_free(struct conn *conn)
{
	if (conn->easy != NULL)
		curl_easy_cleanup(conn->easy);
	if (conn->multi != NULL)
		(void)curl_multi_cleanup(conn->multi);
	free(conn->origin);
	free(conn);
}

static void
list_push(struct conn **list, struct conn *conn)
{
	conn->prev = NULL;
	conn->next = *list;
	if (*list != NULL)
		(*list)->prev = conn;
	*list = conn;
}

static void
list_remove(struct conn **list, struct conn *conn)
{
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		*list = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	conn->prev = conn->next = NULL;
}

static void
free_list(struct conn *list)
{
	while (list != NULL) {
		struct conn *next = list->next;

		conn_free(list);
		list = next;
	}
}

/* Takes what is too old, or too much, out of the idle list. */
static struct conn *
surplus_locked(struct http_client *c, int64_t now)
{
	struct conn *out = NULL, *next;
	unsigned seen = 0;

	for (struct conn *conn = c->idle; conn != NULL; conn = next) {
		next = conn->next;
		if (++seen <= IDLE_MAX && now - conn->idle_since_ns < idle_max_ns)
			continue;
		list_remove(&c->idle, conn);
		c->n_idle--;
		list_push(&out, conn);
	}
	return out;
}

static struct conn *
take_idle_locked(struct http_client *c, const char *origin)
{
	for (struct conn *conn = c->idle; conn != NULL; conn = conn->next)
		if (strcmp(conn->origin, origin) == 0) {
			list_remove(&c->idle, conn);
			c->n_idle--;
			return conn;
		}
	return NULL;
}

static struct conn *
conn_new(const char *origin)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return NULL;
	conn->origin = strdup(origin);
	conn->multi = curl_multi_init();
	conn->easy = curl_easy_init();
	if (conn->origin == NULL || conn->multi == NULL || conn->easy == NULL) {
		conn_free(conn);
		return NULL;
	}
	return conn;
}

int
conn_take(struct http_client *c, const char *origin, struct conn **out, struct err *e)
{
	struct conn *old, *conn;

	mutex_lock(&c->lock);
	old = surplus_locked(c, clock_now_ns());
	conn = take_idle_locked(c, origin);
	if (conn != NULL)
		list_push(&c->busy, conn);
	mutex_unlock(&c->lock);
	free_list(old);
	if (conn == NULL) {
		conn = conn_new(origin);
		if (conn == NULL)
			return err_set(e, ENOMEM, "out of memory for a connection");
		mutex_lock(&c->lock);
		list_push(&c->busy, conn);
		mutex_unlock(&c->lock);
	}
	*out = conn;
	return 0;
}

void
conn_put(struct http_client *c, struct conn *conn, bool keep)
{
	struct conn *old;

	mutex_lock(&c->lock);
	list_remove(&c->busy, conn);
	if (keep) {
		conn->idle_since_ns = clock_now_ns();
		list_push(&c->idle, conn);
		c->n_idle++;
	}
	old = surplus_locked(c, clock_now_ns());
	mutex_unlock(&c->lock);
	free_list(old);
	if (!keep)
		conn_free(conn);
}

void
conn_wake_all(struct http_client *c)
{
	mutex_lock(&c->lock);
	for (struct conn *conn = c->busy; conn != NULL; conn = conn->next)
		(void)curl_multi_wakeup(conn->multi);
	mutex_unlock(&c->lock);
}

void
conn_free_idle(struct http_client *c)
{
	struct conn *old;

	mutex_lock(&c->lock);
	old = c->idle;
	c->idle = NULL;
	c->n_idle = 0;
	mutex_unlock(&c->lock);
	free_list(old);
}
