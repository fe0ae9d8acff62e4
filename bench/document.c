/* SPDX-License-Identifier: MIT */
/*
 * What it costs to unseal a document: no network, no file system, one thread.
 *
 *	document [ROUNDS [DIRECTORY]]
 *
 * Half of the properties are encrypted, half of those deterministically.  Of two shapes: "small"
 * has many properties, of eight five are strings of 40 to 80 bytes, one is an integer, one a
 * fraction, one a boolean; "ten" has ten strings that grow with the document.  For each size (of
 * the plain text) it prints microseconds for a document in the least disturbed round: the head
 * alone, a document of that size with nothing encrypted, and the whole.
 *
 * With DIRECTORY it leaves the documents there as they are stored, SHAPE-KILOBYTES.json, and the
 * key and the container's policy in container.json, for others to try.
 */
#include <limits.h>

#include <openssl/evp.h>

#include "bench/bench.h"
#include "base/number.h"
#include "crypto/dekkeys.h"
#include "crypto/document.h"

enum {
	PATHS = 16, /* of the policy; beyond so many the members become objects */
	TEN = 10,
	DOC_MAX = 8 << 20,
	LEAF_MEAN = 60, /* bytes of a member, about */
	PAUSE = 20000	/* microseconds of work in a round */
};

struct world {
	struct policy_path path[PATHS];
	char name[PATHS][8];
	struct document_key key[PATHS];
	struct container_def def, clear;
	struct document_rules rules, no_rules;
	struct document_worker *worker;
	struct dek_keys *keys;
	uint64_t random;
};

static void
must(int r, const struct err *e)
{
	errno = 0;
	if (r < 0)
		die("%s", e->text);
}

static void
world_init(struct world *w)
{
	struct err e = { 0 };
	struct cek dek;

	memcpy(dek.k, bench_cek, sizeof(dek.k));
	must(dek_keys_new(&dek, &w->keys, &e), &e);
	must(document_worker_new(&w->worker, &e), &e);
	w->random = 88172645463325252u;
	for (int i = 0; i < PATHS; i++) {
		snprintf(w->name[i], sizeof(w->name[i]), "s%d", i);
		w->path[i] = (struct policy_path){ .name = w->name[i],
						   .n_name = strlen(w->name[i]),
						   .kind = i % 2 == 0 ? CELL_DETERMINISTIC
								      : CELL_RANDOMIZED };
		w->key[i].keys = w->keys;
	}
	w->def = (struct container_def){ .path = w->path, .n_paths = PATHS };
	w->rules = (struct document_rules){ .def = &w->def, .key = w->key };
	w->no_rules = (struct document_rules){ .def = &w->clear };
}

/* ---- a document, sealed and plain ---- */

static void
fill_text(struct world *w, char *text, size_t n)
{
	for (size_t k = 0; k < n; k++)
		text[k] = "etaoin shrdlu ETAOIN 0123456789"[next_random(&w->random) % 31];
}

static struct cell_value
make_value(struct world *w, uint64_t i, char text[static 100])
{
	struct cell_value v = { .type = CELL_STRING };
	const uint64_t n = 40 + next_random(&w->random) % 41;

	switch (i % 8) {
	case 2:
		v = (struct cell_value){ .type = CELL_LONG,
					 .integer = (int64_t)(next_random(&w->random) >> 30) };
		return v;
	case 4:
		v.type = CELL_DOUBLE;
		v.real = (double)(next_random(&w->random) % 10000000) / 100;
		return v;
	case 6:
		v.type = CELL_BOOLEAN;
		v.boolean = (next_random(&w->random) & 1) != 0;
		return v;
	default:
		fill_text(w, text, n);
		v.text = span_of(text, n);
		return v;
	}
}

/* cell_seal makes deterministic ones alone. */
static void
seal_randomized(struct world *w, const struct cell_value *v, struct buf *out)
{
	static unsigned char cell[(100 << 10) + 512];
	uint64_t bits = v->type == CELL_BOOLEAN ? v->boolean : (uint64_t)v->integer;
	unsigned char number[8];
	const unsigned char *plain = v->type == CELL_STRING ? v->text.p : number;
	const size_t n = v->type == CELL_STRING ? v->text.n : sizeof(number);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	struct err e = { 0 };
	int done, last;

	cell[0] = (unsigned char)v->type;
	cell[1] = 1;
	if (v->type == CELL_DOUBLE)
		memcpy(&bits, &v->real, sizeof(bits));
	for (int i = 0; i < 8; i++)
		number[i] = (unsigned char)(bits >> 8 * i);
	for (int i = 34; i < 50; i++)
		cell[i] = (unsigned char)next_random(&w->random);
	if (!c || !EVP_EncryptInit_ex(c, EVP_aes_256_cbc(), NULL, w->keys->enc, cell + 34) ||
	    !EVP_EncryptUpdate(c, cell + 50, &done, plain, (int)n) ||
	    !EVP_EncryptFinal_ex(c, cell + 50 + done, &last))
		die("OpenSSL");
	EVP_CIPHER_CTX_free(c);
	done += last;
	cell[33] = cell[50 + done] = 1;
	{
		uint8_t mac[32];

		hmac_key_mac(&w->keys->mac, span_of(cell + 33, 18 + (size_t)done), mac);
		memcpy(cell + 2, mac, sizeof(mac));
	}
	must(base64_encode(BASE64_STANDARD, span_of(cell, 50 + (size_t)done), out, &e), &e);
}

static void
add_value(struct world *w, struct cell_value v, int path, struct buf *sealed, struct buf *plain)
{
	struct cell_worker *cells = document_worker_cells(w->worker);
	struct err e = { 0 };

	must(cell_print(&v, plain, &e), &e);
	if (path < 0) {
		must(cell_print(&v, sealed, &e), &e);
		return;
	}
	must(buf_add_str(sealed, "\"", &e), &e);
	if (w->path[path].kind == CELL_DETERMINISTIC)
		must(cell_seal(cells, w->keys, &v, BASE64_STANDARD, sealed, &e), &e);
	else
		seal_randomized(w, &v, sealed);
	must(buf_add_str(sealed, "\"", &e), &e);
}

static void
add_leaf(struct world *w, uint64_t i, int path, struct buf *sealed, struct buf *plain)
{
	char text[100];

	add_value(w, make_value(w, i, text), path, sealed, plain);
}

static void
add_both(struct buf *sealed, struct buf *plain, const char *text)
{
	struct err e = { 0 };

	must(buf_add_str(sealed, text, &e), &e);
	must(buf_add_str(plain, text, &e), &e);
}

static const char head_text[] = "{\"id\":\"bench\",\"_rid\":\"gAABAIAAAAEBAAAAAAAAAA==\"";
static const char tail_text[] = ",\"_ts\":1795322468}";

/* Members by turns sealed and clear, until the plain text has the size. */
static void
make_small(struct world *w, size_t size, struct buf *sealed, struct buf *plain)
{
	const size_t leaves = 1 + size / LEAF_MEAN / (2 * PATHS);
	char text[64];

	add_both(sealed, plain, head_text);
	for (uint64_t i = 0; plain->n < size && i < 2 * PATHS; i++) {
		const int path = i % 2 == 0 ? (int)i / 2 : -1;

		snprintf(text, sizeof(text), ",\"%c%d\":%s", path >= 0 ? 's' : 'c', (int)i / 2,
			 leaves > 1 ? "{" : "");
		add_both(sealed, plain, text);
		for (size_t k = 0; k < leaves; k++) {
			if (leaves > 1) {
				snprintf(text, sizeof(text), "%s\"k%zu\":", k > 0 ? "," : "", k);
				add_both(sealed, plain, text);
			}
			add_leaf(w, i / 2 + k, path, sealed, plain);
		}
		add_both(sealed, plain, leaves > 1 ? "}" : "");
	}
	add_both(sealed, plain, tail_text);
}

/* Ten strings by turns sealed and clear, all of one length. */
static void
make_ten(struct world *w, size_t size, struct buf *sealed, struct buf *plain)
{
	const size_t n = (size - sizeof(head_text) - sizeof(tail_text)) / TEN - strlen(",'s0':''");
	char *text = must_alloc(n), name[16];

	add_both(sealed, plain, head_text);
	for (int i = 0; i < TEN; i++) {
		const int path = i % 2 == 0 ? i / 2 : -1;

		snprintf(name, sizeof(name), ",\"%c%d\":", path >= 0 ? 's' : 'c', i / 2);
		add_both(sealed, plain, name);
		fill_text(w, text, n);
		add_value(w, (struct cell_value){ .type = CELL_STRING, .text = span_of(text, n) },
			  path, sealed, plain);
	}
	add_both(sealed, plain, tail_text);
	free(text);
}

/* ---- documents for others ---- */

static FILE *
must_create(const char *directory, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	if (f == NULL)
		die("%s", path);
	return f;
}

static void
must_close(FILE *f)
{
	if (fclose(f) != 0)
		die("cannot write");
}

static void
write_document(const char *directory, const char *shape, size_t size, struct span text)
{
	char name[64];
	FILE *f;

	snprintf(name, sizeof(name), "%s-%zu.json", shape, size >> 10);
	f = must_create(directory, name);
	(void)fwrite(text.p, 1, text.n, f);
	must_close(f);
}

static void
write_container(const struct world *w, const char *directory)
{
	FILE *f = must_create(directory, "container.json");

	fprintf(f, "{\"key\":\"");
	for (size_t i = 0; i < sizeof(bench_cek); i++)
		fprintf(f, "%02x", bench_cek[i]);
	fprintf(f, "\",\"policy\":{\"policyFormatVersion\":1,\"includedPaths\":[");
	for (int i = 0; i < PATHS; i++)
		fprintf(f,
			"%s{\"path\":\"/%s\",\"clientEncryptionKeyId\":\"dek\","
			"\"encryptionType\":\"%s\","
			"\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}",
			i > 0 ? "," : "", w->name[i],
			w->path[i].kind == CELL_DETERMINISTIC ? "Deterministic" : "Randomized");
	fprintf(f, "]}}\n");
	must_close(f);
}

/* ---- how long it takes ---- */

/* rules NULL: the head alone.  Microseconds for one, in the least disturbed round. */
static double
measure(struct world *w, const struct document_rules *rules, struct span text, int rounds,
	struct buf *out)
{
	double least = 1e9;
	struct document_head head;
	struct err e = { 0 };

	for (int i = 0; i < rounds; i++) {
		const double start = now_s();
		double t = 0;
		int n = 0;

		while (t < PAUSE) {
			for (int k = 0; k < 8; k++, n++) {
				out->n = 0;
				must(rules != NULL
					     ? document_unseal(w->worker, rules, text, out, &head,
							       &e)
					     : document_scan(w->worker, &w->def, text, &head, &e),
				     &e);
			}
			t = (now_s() - start) * 1e6;
		}
		if (t / n < least)
			least = t / n;
	}
	return least;
}

struct shape {
	const char *name;
	void (*make)(struct world *w, size_t size, struct buf *sealed, struct buf *plain);
};

static void
run(struct world *w, const struct shape *shape, size_t size, int rounds, const char *directory)
{
	struct buf sealed, plain, out;
	double head, whole, clear;

	buf_init(&sealed, DOC_MAX);
	buf_init(&plain, DOC_MAX);
	buf_init(&out, DOC_MAX);
	shape->make(w, size, &sealed, &plain);
	if (directory != NULL)
		write_document(directory, shape->name, size, buf_span(&sealed));
	head = measure(w, NULL, buf_span(&sealed), rounds, &out);
	clear = measure(w, &w->no_rules, buf_span(&plain), rounds, &out);
	whole = measure(w, &w->rules, buf_span(&sealed), rounds, &out);
	errno = 0;
	if (out.n != plain.n || memcmp(out.p, plain.p, out.n) != 0)
		die("other bytes");
	printf("%-5s %8zu %8zu %10.2f %10.2f %10.2f\n", shape->name, plain.n, sealed.n, head, clear,
	       whole);
	buf_clear(&sealed);
	buf_clear(&plain);
	buf_clear(&out);
}

int
main(int argc, char **argv)
{
	static const struct shape shapes[] = { { "small", make_small }, { "ten", make_ten } };
	const uint64_t rounds = argc > 1 ? must_number(argv[1]) : 21;
	const char *directory = argc > 2 ? argv[2] : NULL;
	static struct world w;

	if (rounds < 1 || rounds > 1000)
		die("1 to 1000 rounds");
	world_init(&w);
	if (directory != NULL)
		write_container(&w, directory);
	printf("shape    plain   sealed    head us   clear us  unseal us\n");
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		for (size_t size = 1 << 10; size <= (size_t)100 << 10; size *= 10)
			run(&w, &shapes[i], size, (int)rounds, directory);
	document_worker_free(w.worker);
	dek_keys_free(w.keys);
	return 0;
}
