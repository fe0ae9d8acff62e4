/* SPDX-License-Identifier: MIT */
/* Large bodies on their way out: peers that read slowly, not at all, or answer before the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/net/calls.h"

enum { BODY = 24 << 20, SLOW_BODY = 5 << 20, STALL_MS = 400 };

/* A peer for one body at a time: how it reads, and what it says when. */
struct reader {
	size_t before;	   /* bytes that it reads before it answers; SIZE_MAX = all of them */
	unsigned pause_ms; /* after each piece */
	size_t piece;
	const char *answer; /* NULL: none */
	bool stays;	    /* reads on after the answer; else closes */
	unsigned cut;	    /* so many connections are closed at the end of the body, unanswered */
	/* --- its own --- */
	int fd;
	char url[64];
	pthread_t thread;
	atomic_bool ending;
	atomic_uint connections;
	atomic_uint_least64_t got, sum; /* of the last body */
};

static uint8_t *body;

static uint64_t
sum_of(const uint8_t *p, size_t n, uint64_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + p[i];
	return sum;
}

/* Bytes of the body in what follows the headers; SIZE_MAX while these are not complete. */
static size_t
after_headers(const char *text, size_t n)
{
	const char *end = memmem(text, n, "\r\n\r\n", 4);

	return end == NULL ? SIZE_MAX : n - (size_t)(end + 4 - text);
}

static void
read_body(struct reader *r, int fd)
{
	static char head[1 << 16];
	size_t n = 0, rest = SIZE_MAX, got, want = r->before < BODY ? r->before : BODY;
	uint8_t *piece = malloc(r->piece);
	uint64_t sum;

	while (rest == SIZE_MAX) {
		ssize_t did = recv(fd, head + n, 1, 0);

		if (did <= 0)
			goto out;
		n += (size_t)did;
		rest = after_headers(head, n);
	}
	for (got = 0, sum = 0; got < want && !atomic_load(&r->ending);) {
		ssize_t did = recv(fd, piece, r->piece, 0);

		if (did <= 0)
			goto out;
		sum = sum_of(piece, (size_t)did, sum);
		got += (size_t)did;
		(void)usleep(r->pause_ms * 1000);
	}
	atomic_store(&r->got, got);
	atomic_store(&r->sum, sum);
	if (r->answer == NULL || atomic_load(&r->connections) <= r->cut)
		goto out;
	(void)send(fd, r->answer, strlen(r->answer), MSG_NOSIGNAL);
	while (r->stays && recv(fd, piece, r->piece, 0) > 0)
		;
out:
	free(piece);
}

static void *
serve(void *arg)
{
	struct reader *r = arg;

	for (;;) {
		int fd = accept(r->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		atomic_fetch_add(&r->connections, 1);
		if (r->piece > 0)
			read_body(r, fd);
		else
			while (!atomic_load(&r->ending))
				(void)usleep(5000);
		(void)close(fd);
	}
}

static void
reader_start(struct reader *r)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int small = 64 << 10;
	socklen_t n = sizeof(at);

	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(r->fd >= 0);
	(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(r->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(r->fd, 8), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&at, &n), 0);
	(void)snprintf(r->url, sizeof(r->url), "http://127.0.0.1:%u/b", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void
reader_stop(struct reader *r)
{
	atomic_store(&r->ending, true);
	(void)shutdown(r->fd, SHUT_RDWR);
	(void)pthread_join(r->thread, NULL);
	(void)close(r->fd);
}

/* PUT of n bytes of the body within ns. */
static int
put(struct reader *r, const char *method, size_t n, int64_t ns, struct http_response *out,
    struct err *e)
{
	const struct http_config cfg = { .stall_timeout_ns = STALL_MS * NS_PER_MS };
	const struct http_request req = { .method = method,
					  .url = r->url,
					  .body = { body, n },
					  .max_body = 1 << 10,
					  .idempotent = true };
	struct http_client *c = client_of(&cfg);
	AUTO_BUF answer;
	int rc;

	buf_init(&answer, 1 << 10);
	http_response_init(out);
	rc = http_call(c, NULL, &req, http_sink_to_buf(&answer), deadline_in(ns), out, e);
	http_client_free(c);
	return rc;
}

#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
#define TOO_BIG "HTTP/1.1 413 Too Big\r\nContent-Length: 0\r\n\r\n"

static void
a_large_body_arrives_whole(void **state)
{
	static const char *const methods[] = { "PUT", "DELETE", "POST" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct reader r = { .before = SIZE_MAX, .piece = 1 << 20, .answer = CREATED };
		AUTO_HTTP_RESPONSE out;
		struct err e = { 0 };

		reader_start(&r);
		if (put(&r, methods[i], BODY, 30 * NS_PER_S, &out, &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(out.status, 201);
		assert_int_equal(out.attempts, 1);
		assert_int_equal(r.got, BODY);
		assert_int_equal(r.sum, sum_of(body, BODY, 0));
		reader_stop(&r);
	}
}

static void
the_same_bytes_go_out_again(void **state)
{
	struct reader r = { .before = SIZE_MAX, .piece = 1 << 20, .answer = CREATED, .cut = 1 };
	AUTO_HTTP_RESPONSE out;
	struct err e = { 0 };

	(void)state;
	reader_start(&r);
	assert_int_equal(put(&r, "PUT", BODY, 30 * NS_PER_S, &out, &e), 0);
	assert_int_equal(out.status, 201);
	assert_int_equal(out.attempts, 2);
	assert_int_equal(r.sum, sum_of(body, BODY, 0));
	reader_stop(&r);
}

/* The kernel has taken all of it long before the peer has: that is no stall. */
static void
a_slow_reader_is_waited_for(void **state)
{
	struct reader r = {
		.before = SLOW_BODY, .piece = 16 << 10, .pause_ms = 7, .answer = CREATED
	};
	AUTO_HTTP_RESPONSE out;
	struct err e = { 0 };

	(void)state;
	reader_start(&r);
	if (put(&r, "PUT", SLOW_BODY, 30 * NS_PER_S, &out, &e) != 0)
		fail_msg("%s, %u connections", e.text, r.connections);
	assert_int_equal(out.status, 201);
	assert_int_equal(out.attempts, 1);
	reader_stop(&r);
}

static void
a_peer_that_does_not_read_ends_the_attempt(void **state)
{
	struct reader r = { .piece = 0 };
	AUTO_HTTP_RESPONSE out;
	struct err e = { 0 };
	int64_t start = clock_now_ns();

	(void)state;
	reader_start(&r);
	assert_int_equal(put(&r, "PUT", BODY, 5 * STALL_MS * NS_PER_MS, &out, &e), -ETIMEDOUT);
	assert_true(clock_now_ns() - start < 12 * STALL_MS * NS_PER_MS);
	/* It was given up by then, and tried again: the second attempt waits to be accepted. */
	assert_non_null(strstr(e.text, "deadline"));
	reader_stop(&r);
}

static void
the_deadline_counts_while_sending(void **state)
{
	struct reader r = { .before = SIZE_MAX, .piece = 64 << 10, .pause_ms = 50 };
	AUTO_HTTP_RESPONSE out;
	struct err e = { 0 };
	int64_t start = clock_now_ns();

	(void)state;
	reader_start(&r);
	assert_int_equal(put(&r, "PUT", BODY, NS_PER_S, &out, &e), -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	assert_in_range(clock_now_ns() - start, NS_PER_S, 3 * NS_PER_S);
	reader_stop(&r);
}

static void
a_refusal_before_the_end_is_heard(void **state)
{
	(void)state;
	for (unsigned stays = 0; stays < 2; stays++) {
		struct reader r = {
			.before = 100000, .piece = 64 << 10, .answer = TOO_BIG, .stays = stays
		};
		AUTO_HTTP_RESPONSE out;
		struct err e = { 0 };

		reader_start(&r);
		if (put(&r, "PUT", BODY, 20 * NS_PER_S, &out, &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(out.status, 413);
		/* Who closes with bytes unread resets: then the answer may be lost on its way. */
		if (r.stays)
			assert_int_equal(out.attempts, 1);
		reader_stop(&r);
	}
}

static int
make_body(void **state)
{
	uint64_t seed = 1;

	(void)state;
	body = malloc(BODY);
	for (size_t i = 0; body != NULL && i < BODY; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		body[i] = (uint8_t)(seed >> 56);
	}
	return body == NULL;
}

static int
free_body(void **state)
{
	(void)state;
	free(body);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_body_arrives_whole),
		cmocka_unit_test(the_same_bytes_go_out_again),
		cmocka_unit_test(a_slow_reader_is_waited_for),
		cmocka_unit_test(a_peer_that_does_not_read_ends_the_attempt),
		cmocka_unit_test(the_deadline_counts_while_sending),
		cmocka_unit_test(a_refusal_before_the_end_is_heard),
	};

	return cmocka_run_group_tests(tests, make_body, free_body);
}
