/* SPDX-License-Identifier: MIT */
/*
 * What sealing and sending can do alone, without a file system: the limit of writing.
 *
 *   send big URL SIZE WORKERS  MB/s: regions sealed with OpenSSL and sent with libcurl as blocks, a
 *                              worker doing both for one region after the other; then the list
 *   send small URL COUNT       blobs/s: 16 KiB sealed and sent as URL/f000000 ..., one by one
 *
 * SIZE is the plain size.  Nothing is authorized: for a server that does not ask.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <curl/curl.h>
#include <openssl/evp.h>

#include "bench.h"

enum { MAX_WORKERS = 16, SOURCE = 16, SMALL = 16384, URL_MAX = 1024 };

/* ---- one connection, and the context that seals for it ---- */

struct worker {
	CURL *curl;
	EVP_CIPHER_CTX *gcm;
	struct curl_slist *headers;
	unsigned char *sealed;
	size_t n, sent; /* of sealed */
};

static size_t
on_read(char *to, size_t size, size_t n, void *arg)
{
	struct worker *w = arg;
	const size_t left = w->n - w->sent;

	n *= size;
	if (n > left)
		n = left;
	memcpy(to, w->sealed + w->sent, n);
	w->sent += n;
	return n;
}

static size_t
on_answer(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	return size * n;
}

static void
worker_init(struct worker *w)
{
	*w = (struct worker){ .curl = curl_easy_init(), .gcm = EVP_CIPHER_CTX_new() };
	w->sealed = must_alloc(REGION + OVERHEAD);
	w->headers = curl_slist_append(NULL, "Expect:");
	w->headers = curl_slist_append(w->headers, "x-ms-blob-type: BlockBlob");
	if (!w->curl || !w->gcm || !w->headers ||
	    !EVP_EncryptInit_ex(w->gcm, EVP_aes_256_gcm(), NULL, bench_cek, NULL))
		die("cannot start");
	curl_easy_setopt(w->curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(w->curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(w->curl, CURLOPT_READDATA, w);
	curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, w->headers);
	curl_easy_setopt(w->curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
	curl_easy_setopt(w->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(w->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(w->curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(w->curl, CURLOPT_PROXY, "");
}

static void
worker_clear(struct worker *w)
{
	curl_easy_cleanup(w->curl);
	curl_slist_free_all(w->headers);
	EVP_CIPHER_CTX_free(w->gcm);
	free(w->sealed);
}

/* nonce, ciphertext, tag */
static void
seal(struct worker *w, uint64_t region, const unsigned char *plain, size_t n)
{
	unsigned char *tag = w->sealed + NONCE_LEN + n;
	int done;

	memset(w->sealed, 0, NONCE_LEN);
	memcpy(w->sealed, &region, sizeof(region));
	if (!EVP_EncryptInit_ex(w->gcm, NULL, NULL, NULL, w->sealed) ||
	    !EVP_EncryptUpdate(w->gcm, w->sealed + NONCE_LEN, &done, plain, (int)n) ||
	    !EVP_EncryptFinal_ex(w->gcm, tag, &done) ||
	    !EVP_CIPHER_CTX_ctrl(w->gcm, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag))
		die("OpenSSL");
	w->n = n + OVERHEAD;
}

static void
put(struct worker *w, const char *url)
{
	CURLcode r;

	w->sent = 0;
	curl_easy_setopt(w->curl, CURLOPT_URL, url);
	curl_easy_setopt(w->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->n);
	r = curl_easy_perform(w->curl);
	errno = 0;
	if (r != CURLE_OK)
		die("%s: %s", url, curl_easy_strerror(r));
}

/* Plain bytes that no cache of the processor holds, as those of a file that somebody writes. */
static unsigned char *
make_source(void)
{
	unsigned char *p = must_alloc((size_t)SOURCE * REGION);
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < (size_t)SOURCE * REGION; i += sizeof(state)) {
		next_random(&state);
		memcpy(p + i, &state, sizeof(state));
	}
	return p;
}

/* ---- one large blob ---- */

struct big {
	const char *url;
	uint64_t size, n_regions;
	const unsigned char *source;
	atomic_uint_fast64_t next;
};

static void *
big_worker(void *arg)
{
	struct big *b = arg;
	struct worker w;
	char url[URL_MAX];
	uint64_t i;

	worker_init(&w);
	while ((i = atomic_fetch_add(&b->next, 1)) < b->n_regions) {
		const uint64_t left = b->size - i * REGION;

		seal(&w, i, b->source + i % SOURCE * REGION, left < REGION ? left : REGION);
		snprintf(url, sizeof(url), "%s?comp=block&blockid=%016llx", b->url,
			 (unsigned long long)i);
		put(&w, url);
	}
	worker_clear(&w);
	return NULL;
}

static void
commit(const struct big *b)
{
	struct worker w;
	char url[URL_MAX];

	worker_init(&w);
	for (uint64_t i = 0; i < b->n_regions && w.n < REGION; i++)
		w.n += (size_t)sprintf((char *)w.sealed + w.n, "<Latest>%016llx</Latest>",
				       (unsigned long long)i);
	snprintf(url, sizeof(url), "%s?comp=blocklist", b->url);
	put(&w, url);
	worker_clear(&w);
}

static double
big_rate(struct big *b, unsigned workers)
{
	pthread_t thread[MAX_WORKERS];
	double start;

	if (workers < 1 || workers > MAX_WORKERS)
		die("1 to %d workers", MAX_WORKERS);
	b->source = make_source();
	start = now_s();
	for (unsigned i = 0; i < workers; i++)
		if (pthread_create(&thread[i], NULL, big_worker, b))
			die("cannot start a thread");
	for (unsigned i = 0; i < workers; i++)
		pthread_join(thread[i], NULL);
	commit(b);
	return (double)b->size / (now_s() - start) / 1e6;
}

/* ---- many small blobs ---- */

static double
small_rate(const char *base, uint64_t count)
{
	const unsigned char *source = make_source();
	char url[URL_MAX];
	struct worker w;
	double start;

	worker_init(&w);
	start = now_s();
	for (uint64_t i = 0; i < count; i++) {
		seal(&w, i, source + i % SOURCE * SMALL, SMALL);
		snprintf(url, sizeof(url), "%s/f%06llu", base, (unsigned long long)i);
		put(&w, url);
	}
	start = now_s() - start;
	worker_clear(&w);
	return (double)count / start;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	curl_global_init(CURL_GLOBAL_ALL);
	if (argc == 5 && strcmp(what, "big") == 0) {
		struct big b = { .url = argv[2], .size = must_number(argv[3]) };

		b.n_regions = (b.size + REGION - 1) / REGION;
		printf("%.3f\n", big_rate(&b, (unsigned)must_number(argv[4])));
	} else if (argc == 4 && strcmp(what, "small") == 0) {
		printf("%.3f\n", small_rate(argv[2], must_number(argv[3])));
	} else {
		die("usage: see the head of send.c");
	}
	return 0;
}
