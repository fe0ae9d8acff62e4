/* SPDX-License-Identifier: MIT */
/*
 * What the parts of a reader can do alone, without a file system: the limits that the mount is
 * compared with. Each command prints one number.
 *
 *   http URL SIZE WORKERS        MB/s: range requests of one region over kept-alive connections,
 * bytes discarded null URL SIZE WORKERS        MB/s: the same, each region decrypted as it arrives
 * and its tag verified region URL SIZE COUNT SEED   regions/s: one after the other at random
 * places, fetched whole, then decrypted small URL COUNT              blobs/s: URL/f000000 ..., one
 * after the other, fetched and decrypted list URL                     s: every page of a listing,
 * transfer and then the walk through its XML gcm SECONDS                  MB/s: decryption of 4 MiB
 * regions by one thread
 *
 * SIZE is the plain size.  The settings of libcurl are those that a careful program has:
 * keep-alive, HTTP/1.1, a receive buffer of 512 KiB.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <curl/curl.h>
#include <expat.h>
#include <openssl/evp.h>

#include "bench.h"

enum { SEALED_REGION = REGION + OVERHEAD, MAX_WORKERS = 16, GCM_POOL = 16, SMALL_MAX = 1 << 20 };

/* ---- one connection, and where its bytes go ---- */

enum sink { DISCARD, COLLECT, STREAM };

struct fetch {
	CURL *curl;
	EVP_CIPHER_CTX *gcm;
	enum sink sink;
	unsigned char *sealed; /* COLLECT */
	unsigned char *plain;
	size_t room;	 /* of sealed */
	size_t n;	 /* bytes that have come */
	size_t expected; /* STREAM: bytes that will come */
	unsigned char nonce[NONCE_LEN], tag[TAG_LEN];
};

static void
gcm_start(EVP_CIPHER_CTX *gcm, const unsigned char *nonce)
{
	if (!EVP_DecryptInit_ex(gcm, NULL, NULL, NULL, nonce))
		die("OpenSSL");
}

static void
gcm_piece(EVP_CIPHER_CTX *gcm, unsigned char *out, const unsigned char *in, size_t n)
{
	int done;

	if (!EVP_DecryptUpdate(gcm, out, &done, in, (int)n))
		die("OpenSSL");
}

static void
gcm_verify(EVP_CIPHER_CTX *gcm, unsigned char *tag)
{
	unsigned char nothing[TAG_LEN];
	int done;

	errno = 0;
	if (!EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) ||
	    EVP_DecryptFinal_ex(gcm, nothing, &done) <= 0)
		die("a tag does not verify");
}

/* A part of the region as it arrives: nonce, ciphertext and tag may each be cut anywhere. */
static void
stream_piece(struct fetch *f, const unsigned char *p, size_t n)
{
	size_t text_end = f->expected - TAG_LEN;
	size_t k;

	while (n > 0) {
		if (f->n < NONCE_LEN) {
			k = NONCE_LEN - f->n < n ? NONCE_LEN - f->n : n;
			memcpy(f->nonce + f->n, p, k);
			if (f->n + k == NONCE_LEN)
				gcm_start(f->gcm, f->nonce);
		} else if (f->n < text_end) {
			k = text_end - f->n < n ? text_end - f->n : n;
			gcm_piece(f->gcm, f->plain + f->n - NONCE_LEN, p, k);
		} else {
			k = f->expected - f->n < n ? f->expected - f->n : n;
			if (k == 0)
				die("more bytes than asked for");
			memcpy(f->tag + f->n - text_end, p, k);
		}
		f->n += k;
		p += k;
		n -= k;
	}
}

static size_t
on_data(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;

	n *= size;
	if (f->sink == STREAM) {
		stream_piece(f, (const unsigned char *)p, n);
		return n;
	}
	if (f->sink == COLLECT) {
		if (n > f->room - f->n)
			return 0;
		memcpy(f->sealed + f->n, p, n);
	}
	f->n += n;
	return n;
}

static void
fetch_init(struct fetch *f, enum sink sink, size_t room)
{
	*f = (struct fetch){ .sink = sink, .room = room };
	f->plain = must_alloc(room);
	if (sink == COLLECT)
		f->sealed = must_alloc(room);
	f->gcm = EVP_CIPHER_CTX_new();
	f->curl = curl_easy_init();
	if (!f->curl || !f->gcm ||
	    !EVP_DecryptInit_ex(f->gcm, EVP_aes_256_gcm(), NULL, bench_cek, NULL))
		die("cannot start");
	curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(f->curl, CURLOPT_BUFFERSIZE, 512L << 10);
	curl_easy_setopt(f->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(f->curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(f->curl, CURLOPT_PROXY, "");
}

static void
fetch_clear(struct fetch *f)
{
	curl_easy_cleanup(f->curl);
	EVP_CIPHER_CTX_free(f->gcm);
	free(f->sealed);
	free(f->plain);
}

static void
fetch_perform(struct fetch *f, const char *url)
{
	CURLcode r;

	f->n = 0;
	curl_easy_setopt(f->curl, CURLOPT_URL, url);
	r = curl_easy_perform(f->curl);
	errno = 0;
	if (r != CURLE_OK)
		die("%s: %s", url, curl_easy_strerror(r));
}

/* What has been collected: nonce, ciphertext, tag. */
static void
decrypt_collected(struct fetch *f)
{
	errno = 0;
	if (f->n < OVERHEAD)
		die("too few bytes: %zu", f->n);
	gcm_start(f->gcm, f->sealed);
	gcm_piece(f->gcm, f->plain, f->sealed + NONCE_LEN, f->n - OVERHEAD);
	gcm_verify(f->gcm, f->sealed + f->n - TAG_LEN);
}

/* ---- one large blob ---- */

struct big {
	const char *url;
	uint64_t size; /* plain */
	uint64_t n_regions;
	enum sink sink;
	atomic_uint_fast64_t next;
};

static void
fetch_region(const struct big *b, struct fetch *f, uint64_t i)
{
	uint64_t left = b->size - i * REGION;
	char range[64];

	f->expected = (left < REGION ? left : REGION) + OVERHEAD;
	snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)(i * SEALED_REGION),
		 (unsigned long long)(i * SEALED_REGION + f->expected - 1));
	curl_easy_setopt(f->curl, CURLOPT_RANGE, range);
	fetch_perform(f, b->url);
	errno = 0;
	if (f->n != f->expected)
		die("region %llu: %zu bytes came", (unsigned long long)i, f->n);
}

static void *
big_worker(void *arg)
{
	struct big *b = arg;
	struct fetch f;
	uint64_t i;

	fetch_init(&f, b->sink, SEALED_REGION);
	while ((i = atomic_fetch_add(&b->next, 1)) < b->n_regions) {
		fetch_region(b, &f, i);
		if (b->sink == STREAM)
			gcm_verify(f.gcm, f.tag);
	}
	fetch_clear(&f);
	return NULL;
}

static double
whole_rate(struct big *b, unsigned workers)
{
	pthread_t thread[MAX_WORKERS];
	double start = now_s();
	unsigned i;

	if (workers < 1 || workers > MAX_WORKERS)
		die("1 to %d workers", MAX_WORKERS);
	for (i = 0; i < workers; i++)
		if (pthread_create(&thread[i], NULL, big_worker, b))
			die("cannot start a thread");
	for (i = 0; i < workers; i++)
		pthread_join(thread[i], NULL);
	return (double)b->size / (now_s() - start) / 1e6;
}

static double
region_rate(const struct big *b, uint64_t count, uint64_t seed)
{
	uint64_t *order, i;
	struct fetch f;
	double start;

	if (count > b->n_regions)
		count = b->n_regions;
	order = shuffled(b->n_regions, count, seed);
	fetch_init(&f, COLLECT, SEALED_REGION);
	start = now_s();
	for (i = 0; i < count; i++) {
		fetch_region(b, &f, order[i]);
		decrypt_collected(&f);
	}
	start = now_s() - start;
	fetch_clear(&f);
	free(order);
	return (double)count / start;
}

/* ---- many small blobs ---- */

static double
small_rate(const char *base, uint64_t count)
{
	char url[1024];
	struct fetch f;
	uint64_t i;
	double start;

	fetch_init(&f, COLLECT, SMALL_MAX);
	start = now_s();
	for (i = 0; i < count; i++) {
		snprintf(url, sizeof(url), "%s/f%06llu", base, (unsigned long long)i);
		fetch_perform(&f, url);
		decrypt_collected(&f);
	}
	start = now_s() - start;
	fetch_clear(&f);
	return (double)count / start;
}

/* ---- a listing ---- */

struct walk {
	uint64_t entries, lengths; /* blobs, and the sum of what their elements say */
	char marker[256];
	char text[65536]; /* of the element that is open */
	size_t n_text;
};

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct walk *w = arg;

	(void)name;
	(void)attributes;
	w->n_text = 0;
}

static void XMLCALL
on_text(void *arg, const XML_Char *p, int n)
{
	struct walk *w = arg;

	if ((size_t)n < sizeof(w->text) - w->n_text) {
		memcpy(w->text + w->n_text, p, (size_t)n);
		w->n_text += (size_t)n;
	}
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	struct walk *w = arg;

	w->text[w->n_text] = '\0';
	if (strcmp(name, "Blob") == 0)
		w->entries++;
	else if (strcmp(name, "Content-Length") == 0)
		w->lengths += must_number(w->text);
	else if (strcmp(name, "NextMarker") == 0 && w->n_text < sizeof(w->marker))
		memcpy(w->marker, w->text, w->n_text + 1);
	w->n_text = 0;
}

static void
walk_page(struct walk *w, const unsigned char *xml, size_t n)
{
	XML_Parser p = XML_ParserCreate(NULL);

	if (!p)
		die("no memory");
	XML_SetUserData(p, w);
	XML_SetElementHandler(p, on_start, on_end);
	XML_SetCharacterDataHandler(p, on_text);
	w->marker[0] = '\0';
	errno = 0;
	if (XML_Parse(p, (const char *)xml, (int)n, 1) != XML_STATUS_OK)
		die("XML: %s", XML_ErrorString(XML_GetErrorCode(p)));
	XML_ParserFree(p);
}

static double
list_time(const char *container)
{
	static struct walk w;
	char url[1024];
	struct fetch f;
	double start;

	fetch_init(&f, COLLECT, 64 << 20);
	start = now_s();
	do {
		snprintf(url, sizeof(url),
			 "%s?restype=container&comp=list&include=metadata&delimiter=%%2F&marker=%s",
			 container, w.marker);
		fetch_perform(&f, url);
		walk_page(&w, f.sealed, f.n);
	} while (w.marker[0]);
	start = now_s() - start;
	fprintf(stderr, "%llu entries\n", (unsigned long long)w.entries);
	fetch_clear(&f);
	return start;
}

/* ---- decryption alone ---- */

static double
gcm_rate(double seconds)
{
	struct fetch f;
	unsigned char *pool[GCM_POOL], tag[TAG_LEN];
	EVP_CIPHER_CTX *seal = EVP_CIPHER_CTX_new();
	static const unsigned char nonce[NONCE_LEN];
	double start, t = 0;
	uint64_t regions = 0;
	int i, done;

	fetch_init(&f, STREAM, REGION);
	for (i = 0; i < GCM_POOL; i++) {
		pool[i] = must_alloc(REGION);
		memset(pool[i], 7, REGION);
		if (!EVP_EncryptInit_ex(seal, EVP_aes_256_gcm(), NULL, bench_cek, nonce) ||
		    !EVP_EncryptUpdate(seal, pool[i], &done, pool[i], REGION) ||
		    !EVP_EncryptFinal_ex(seal, tag, &done) ||
		    !EVP_CIPHER_CTX_ctrl(seal, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag))
			die("OpenSSL");
	}
	memset(f.plain, 0, REGION);
	for (start = now_s(); t < seconds; t = now_s() - start, regions++) {
		gcm_start(f.gcm, nonce);
		gcm_piece(f.gcm, f.plain, pool[regions % GCM_POOL], REGION);
		gcm_verify(f.gcm, tag);
	}
	for (i = 0; i < GCM_POOL; i++)
		free(pool[i]);
	EVP_CIPHER_CTX_free(seal);
	fetch_clear(&f);
	return (double)regions * REGION / t / 1e6;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	struct big b = { 0 };

	curl_global_init(CURL_GLOBAL_ALL);
	if (argc >= 5) {
		b.url = argv[2];
		b.size = must_number(argv[3]);
		b.n_regions = (b.size + REGION - 1) / REGION;
	}
	if (argc == 5 && (strcmp(what, "http") == 0 || strcmp(what, "null") == 0)) {
		b.sink = what[0] == 'h' ? DISCARD : STREAM;
		printf("%.3f\n", whole_rate(&b, (unsigned)must_number(argv[4])));
	} else if (argc == 6 && strcmp(what, "region") == 0) {
		printf("%.3f\n", region_rate(&b, must_number(argv[4]), must_number(argv[5])));
	} else if (argc == 4 && strcmp(what, "small") == 0) {
		printf("%.3f\n", small_rate(argv[2], must_number(argv[3])));
	} else if (argc == 3 && strcmp(what, "list") == 0) {
		printf("%.6f\n", list_time(argv[2]));
	} else if (argc == 3 && strcmp(what, "gcm") == 0) {
		printf("%.3f\n", gcm_rate(strtod(argv[2], NULL)));
	} else {
		die("usage: see the head of limits.c");
	}
	return 0;
}
