/* SPDX-License-Identifier: MIT */
/*
 *	replay FILE REPEAT
 *
 * Sends the requests of FILE again, one after the other over one kept-alive connection, and throws
 * the answers away; so many times.  Prints the seconds of the quickest time: what a server takes to
 * answer just that, and libcurl to receive it.  FILE has for each request the lines
 *
 *	METHOD URL
 *	Name: value		any number of them
 *				an empty one
 *	body			one line, perhaps empty
 */
#include <stdbool.h>

#include <curl/curl.h>

#include "bench.h"

struct request {
	char *method, *url, *body;
	struct curl_slist *headers;
};

static size_t
discard(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	return size * n;
}

/* A line without its end (caller frees), NULL at the end of the file. */
static char *
next_line(FILE *f)
{
	char *line = NULL;
	size_t room = 0;

	if (getline(&line, &room, f) < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static bool
read_request(FILE *f, struct request *r)
{
	char *line = next_line(f), *space;

	*r = (struct request){ NULL, NULL, NULL, NULL };
	if (!line)
		return false;
	space = strchr(line, ' ');
	errno = 0;
	if (!space)
		die("no request: %s", line);
	*space = '\0';
	r->method = line;
	r->url = space + 1;
	while ((line = next_line(f)) && *line) {
		r->headers = curl_slist_append(r->headers, line);
		free(line);
	}
	free(line);
	r->body = next_line(f);
	if (!r->body)
		die("the file ends within a request");
	return true;
}

static struct request *
read_requests(const char *path, size_t *n)
{
	struct request *all = NULL, one;
	FILE *f = fopen(path, "r");

	if (!f)
		die("%s", path);
	for (*n = 0; read_request(f, &one); all[(*n)++] = one) {
		all = realloc(all, (*n + 1) * sizeof(*all));
		if (!all)
			die("no memory");
	}
	fclose(f);
	return all;
}

static void
perform(CURL *curl, const struct request *r)
{
	const bool post = *r->body != '\0';
	CURLcode code;

	curl_easy_setopt(curl, CURLOPT_URL, r->url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, r->headers);
	if (post)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
	else
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
	code = curl_easy_perform(curl);
	errno = 0;
	if (code != CURLE_OK)
		die("%s %s: %s", r->method, r->url, curl_easy_strerror(code));
}

int
main(int argc, char **argv)
{
	struct request *all;
	double least = 1e9;
	CURL *curl = curl_easy_init();
	size_t n;

	errno = 0;
	if (argc != 3 || !curl)
		die("usage: see the head of replay.c");
	all = read_requests(argv[1], &n);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L << 10);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	for (uint64_t k = must_number(argv[2]); k > 0; k--) {
		const double start = now_s();

		for (size_t i = 0; i < n; i++)
			perform(curl, &all[i]);
		if (now_s() - start < least)
			least = now_s() - start;
	}
	printf("%.6f\n", least);
	curl_easy_cleanup(curl);
	return 0;
}
