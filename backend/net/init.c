/* SPDX-License-Identifier: MIT */
/*
 * What has to happen once in a process before anything is sent.
 *
 * Headers, URLs and JSON answers hold tokens and keys; libcurl and jansson
 * copy them into memory of their own.  Both get a free() that wipes.  Memory
 * that was allocated before is compatible with it, so the time of the call does not matter.
 */
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/client.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready = CURLE_FAILED_INIT;

static void
wiping_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
wiping_realloc(void *p, size_t n)
{
	void *to = malloc(n);
	size_t old = p == NULL ? 0 : malloc_usable_size(p);

	if (to == NULL || p == NULL)
		return to;
	memcpy(to, p, old < n ? old : n);
	wiping_free(p);
	return to;
}

static void
init(void)
{
	struct sigaction pipe_action;

	/* libcurl would write the session keys of every connection to that file. */
	(void)unsetenv("SSLKEYLOGFILE"); /* not secret */
	/*
	 * OpenSSL writes to sockets without a flag against it: a peer that hangs up must not end
	 * the process.
	 */
	if (sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL)
		(void)signal(SIGPIPE, SIG_IGN);
	json_set_alloc_funcs(malloc, wiping_free);
	curl_ready = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc,
					  strdup, calloc);
}

int
net_global_init(struct err *e)
{
	(void)pthread_once(&once, init);
	if (curl_ready != CURLE_OK)
		return err_set(e, EIO, "libcurl cannot start: %s", curl_easy_strerror(curl_ready));
	return 0;
}
