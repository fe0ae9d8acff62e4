/* SPDX-License-Identifier: MIT */
/*
 * gen DIR BIG_BYTES N_SMALL N_MANY: makes what the static server serves.
 *
 *   blobs/big/blob      one sealed blob of BIG_BYTES plain bytes, regions of 4 MiB; plain/blob is
 * the same in clear blobs/small/fNNNNNN N_SMALL sealed blobs of 16 KiB blobs/tiny/tiny     one
 * sealed blob of 300 regions of 64 bytes lists/CONTAINER/    answers of List Blobs with
 * include=metadata, 5,000 entries a page: first.xml, p1.xml, ...; few.xml and rest.xml for a client
 * that asks for a handful of entries at first; name/NAME.xml for a listing with prefix=NAME;
 * none.xml lists/many/         N_MANY entries that are only listed, each with a wrapped key of its
 * own as RSA-2048 makes it meta.map            the metadata of the blobs, as a map for nginx
 *   keys.json           the JWK Set
 *
 * The format is docs/FORMATS.md's (protocol 2.0).  Every blob has the same content key.  Files get
 * a fixed time, so that the ETag that nginx makes of time and size can stand in the listings too.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "bench.h"

enum {
	MTIME = 1700000000,
	PAGE = 5000,
	SMALL = 16384,
	TINY_REGION = 64,
	TINY_REGIONS = 300,
	WRAPPED = 48,
	RSA_WRAPPED = 256,
	FEW = 1,
	ENVELOPE_MAX = 1024
};

#define LAST_MODIFIED "Tue, 14 Nov 2023 22:13:20 GMT"
#define RSA_KID	      "https://bench.vault.azure.net/keys/bench/0123456789abcdef0123456789abcdef"

static EVP_CIPHER_CTX
	*noise; /* a key stream: what the blobs and the RSA-wrapped keys are made of */

static void
need(bool ok, const char *what)
{
	errno = 0;
	if (!ok)
		die("OpenSSL: %s failed", what);
}

static FILE *
create(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f)
		die("%s", path);
	return f;
}

static void
finish(FILE *f)
{
	const struct timespec t[2] = { { .tv_sec = MTIME }, { .tv_sec = MTIME } };

	if (fflush(f) || futimens(fileno(f), t) || fclose(f))
		die("write");
}

static void
put(FILE *f, const void *p, size_t n)
{
	if (fwrite(p, 1, n, f) != n)
		die("write");
}

static void
make_noise(unsigned char *out, size_t n)
{
	int done;

	memset(out, 0, n);
	need(EVP_EncryptUpdate(noise, out, &done, out, (int)n), "key stream");
}

/* ---- content ---- */

static void
seal_region(EVP_CIPHER_CTX *gcm, FILE *f, uint32_t number, const unsigned char *plain, size_t n)
{
	static unsigned char sealed[REGION];
	unsigned char nonce[NONCE_LEN] = { 0 }, tag[TAG_LEN];
	int done, i;

	for (i = 0; i < 4; i++)
		nonce[NONCE_LEN - 1 - i] = (unsigned char)(number >> 8 * i);
	need(EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, bench_cek, nonce), "GCM");
	need(EVP_EncryptUpdate(gcm, sealed, &done, plain, (int)n), "GCM");
	need(EVP_EncryptFinal_ex(gcm, tag, &done), "GCM");
	need(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag), "GCM tag");
	put(f, nonce, sizeof(nonce));
	put(f, sealed, n);
	put(f, tag, sizeof(tag));
}

static uint64_t
sealed_size(uint64_t plain, uint64_t region)
{
	return plain + (plain + region - 1) / region * OVERHEAD;
}

/* plain_name: the same bytes in clear, or NULL. */
static void
seal_blob(const char *dir, const char *name, const char *plain_name, uint64_t size, size_t region)
{
	static unsigned char plain[REGION];
	EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
	FILE *sealed = create(dir, name);
	FILE *clear = plain_name ? create(dir, plain_name) : NULL;
	uint64_t off;
	uint32_t number = 0;

	for (off = 0; off < size; off += region, number++) {
		size_t n = size - off < region ? (size_t)(size - off) : region;

		make_noise(plain, n);
		seal_region(gcm, sealed, number, plain, n);
		if (clear)
			put(clear, plain, n);
	}
	finish(sealed);
	if (clear)
		finish(clear);
	EVP_CIPHER_CTX_free(gcm);
}

/* ---- metadata ---- */

static void
wrap_cek(char *out)
{
	unsigned char prefixed[8 + BENCH_KEY_LEN] = "2.0", wrapped[WRAPPED + 16];
	EVP_CIPHER_CTX *kw = EVP_CIPHER_CTX_new();
	int n = 0;

	memcpy(prefixed + 8, bench_cek, sizeof(bench_cek));
	EVP_CIPHER_CTX_set_flags(kw, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	need(EVP_EncryptInit_ex(kw, EVP_aes_256_wrap(), NULL, bench_kek, NULL), "key wrap");
	need(EVP_EncryptUpdate(kw, wrapped, &n, prefixed, sizeof(prefixed)), "key wrap");
	need(n == WRAPPED, "key wrap");
	EVP_EncodeBlock((unsigned char *)out, wrapped, WRAPPED);
	EVP_CIPHER_CTX_free(kw);
}

static void
envelope(char *out, const char *kid, const char *wrapped, const char *alg, size_t region)
{
	int n = snprintf(out, ENVELOPE_MAX,
			 "{\"EncryptionMode\":\"FullBlob\",\"WrappedContentKey\":{\"KeyId\":\"%s\","
			 "\"EncryptedKey\":\"%s\",\"Algorithm\":\"%s\"},\"EncryptionAgent\":{"
			 "\"Protocol\":\"2.0\",\"EncryptionAlgorithm\":\"AES_GCM_256\"},"
			 "\"EncryptedRegionInfo\":{\"DataLength\":%zu,\"NonceLength\":12},"
			 "\"KeyWrappingMetadata\":{\"EncryptionLibrary\":\"bench\"}}",
			 kid, wrapped, alg, region);

	if (n < 0 || n >= ENVELOPE_MAX)
		die("an envelope is too long");
}

static void
local_envelope(char *out, size_t region)
{
	char wrapped[4 * WRAPPED / 3 + 4];

	wrap_cek(wrapped);
	envelope(out, BENCH_KID, wrapped, "A256KW", region);
}

static void
rsa_envelope(char *out)
{
	unsigned char key[RSA_WRAPPED];
	char wrapped[4 * (RSA_WRAPPED + 2) / 3 + 4];

	make_noise(key, sizeof(key));
	EVP_EncodeBlock((unsigned char *)wrapped, key, RSA_WRAPPED);
	envelope(out, RSA_KID, wrapped, "RSA-OAEP-256", REGION);
}

static void
write_map(const char *dir)
{
	char regular[ENVELOPE_MAX], tiny[ENVELOPE_MAX];
	FILE *f = create(dir, "meta.map");

	local_envelope(regular, REGION);
	local_envelope(tiny, TINY_REGION);
	fprintf(f, "map $uri $envelope {\n\tdefault '%s';\n\t/benchaccount/tiny/tiny '%s';\n}\n",
		regular, tiny);
	finish(f);
}

static void
write_keys(const char *dir)
{
	unsigned char k[4 * BENCH_KEY_LEN / 3 + 4];
	FILE *f = create(dir, "keys.json");
	char *c;

	EVP_EncodeBlock(k, bench_kek, BENCH_KEY_LEN);
	for (c = (char *)k; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
	fprintf(f, "{\"keys\":[{\"kid\":\"%s\",\"kty\":\"oct\",\"k\":\"%s\"}]}\n", BENCH_KID, k);
	if (fchmod(fileno(f), 0600))
		die("keys.json");
	finish(f);
}

/* ---- listings ---- */

struct listing {
	const char *dir;
	const char *container;
	const char *name; /* of every entry, "%06u" of its number is added when numbered */
	bool numbered;
	bool rsa; /* a wrapped key of its own for each entry, else envelope */
	uint32_t count;
	uint64_t size; /* sealed bytes of each */
	char envelope[ENVELOPE_MAX];
};

static void
entry_name(const struct listing *l, uint32_t i, char *out, size_t room)
{
	if (l->numbered)
		snprintf(out, room, "%s%06u", l->name, i);
	else
		snprintf(out, room, "%s", l->name);
}

static void
put_entry(FILE *f, struct listing *l, uint32_t i)
{
	char name[64];

	entry_name(l, i, name, sizeof(name));
	if (l->rsa)
		rsa_envelope(l->envelope);
	fprintf(f,
		"<Blob><Name>%s</Name><Properties><Creation-Time>" LAST_MODIFIED "</Creation-Time>"
		"<Last-Modified>" LAST_MODIFIED "</Last-Modified><Etag>%x-%llx</Etag>"
		"<Content-Length>%llu</Content-Length><Content-Type>application/octet-stream</"
		"Content-Type>"
		"<Content-Encoding /><Content-Language /><Content-CRC64 /><Content-MD5 "
		"/><Cache-Control />"
		"<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
		"<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>"
		"<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></"
		"Properties>"
		"<Metadata><encryptiondata>%s</encryptiondata></Metadata><OrMetadata /></Blob>",
		name, (unsigned)MTIME, (unsigned long long)l->size, (unsigned long long)l->size,
		l->envelope);
}

/* Entries from..to-1, and where the next page is ("" = nowhere). */
static void
write_page(struct listing *l, const char *file, uint32_t from, uint32_t to, const char *next)
{
	FILE *f = create(l->dir, file);
	uint32_t i;

	fprintf(f,
		"\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?>"
		"<EnumerationResults ServiceEndpoint=\"http://127.0.0.1/benchaccount/\" "
		"ContainerName=\"%s\"><Blobs>",
		l->container);
	for (i = from; i < to; i++)
		put_entry(f, l, i);
	fprintf(f, "</Blobs><NextMarker>%s</NextMarker></EnumerationResults>", next);
	finish(f);
}

static void
write_pages(struct listing *l)
{
	char file[32], next[32] = "";
	uint32_t from, page = 0;

	for (from = 0; from < l->count; from += PAGE, page++) {
		uint32_t to = l->count - from > PAGE ? from + PAGE : l->count;

		snprintf(file, sizeof(file), page ? "p%u.xml" : "first.xml", page);
		next[0] = '\0';
		if (to < l->count)
			snprintf(next, sizeof(next), "p%u", page + 1);
		write_page(l, file, from, to, next);
		if (page == 0) {
			write_page(l, "few.xml", 0, FEW, to > FEW ? "rest" : "");
			write_page(l, "rest.xml", FEW, to, next);
		}
	}
	write_page(l, "none.xml", 0, 0, "");
}

static void
write_named(struct listing *l)
{
	char name[64], file[128];
	uint32_t i;

	for (i = 0; i < l->count; i++) {
		entry_name(l, i, name, sizeof(name));
		snprintf(file, sizeof(file), "name/%s.xml", name);
		write_page(l, file, i, i + 1, "");
	}
}

/* ---- all of it ---- */

static void
make_dirs(const char *root)
{
	static const char *const dirs[] = { "",
					    "plain",
					    "blobs",
					    "blobs/big",
					    "blobs/small",
					    "blobs/tiny",
					    "lists",
					    "lists/big",
					    "lists/small",
					    "lists/tiny",
					    "lists/many",
					    "lists/big/name",
					    "lists/small/name",
					    "lists/tiny/name" };
	char path[4096];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		if (mkdir(path, 0755) && errno != EEXIST)
			die("%s", path);
	}
}

static void
make_blobs(const char *root, uint64_t big, uint32_t n_small)
{
	char name[64];
	uint32_t i;

	seal_blob(root, "blobs/big/blob", "plain/blob", big, REGION);
	seal_blob(root, "blobs/tiny/tiny", "plain/tiny", TINY_REGION * TINY_REGIONS, TINY_REGION);
	for (i = 0; i < n_small; i++) {
		snprintf(name, sizeof(name), "blobs/small/f%06u", i);
		seal_blob(root, name, i == 0 ? "plain/f000000" : NULL, SMALL, REGION);
	}
}

static void
make_list(const char *root, struct listing l, size_t region)
{
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s/lists/%s", root, l.container);
	l.dir = dir;
	local_envelope(l.envelope, region);
	write_pages(&l);
	if (!l.rsa)
		write_named(&l);
}

static void
make_lists(const char *root, uint64_t big, uint32_t n_small, uint32_t n_many)
{
	struct listing l = { .container = "big", .name = "blob", .count = 1 };

	l.size = sealed_size(big, REGION);
	make_list(root, l, REGION);

	l.container = l.name = "tiny";
	l.size = sealed_size(TINY_REGION * TINY_REGIONS, TINY_REGION);
	make_list(root, l, TINY_REGION);

	l.container = "small";
	l.name = "f";
	l.numbered = true;
	l.count = n_small;
	l.size = sealed_size(SMALL, REGION);
	make_list(root, l, REGION);

	l.container = "many";
	l.count = n_many;
	l.rsa = true;
	make_list(root, l, REGION);
}

int
main(int argc, char **argv)
{
	static const unsigned char key[BENCH_KEY_LEN] = "noise", iv[16];
	uint64_t big;
	uint32_t n_small, n_many;

	if (argc != 5)
		die("usage: gen DIR BIG_BYTES N_SMALL N_MANY");
	big = must_number(argv[2]);
	n_small = (uint32_t)must_number(argv[3]);
	n_many = (uint32_t)must_number(argv[4]);
	noise = EVP_CIPHER_CTX_new();
	need(EVP_EncryptInit_ex(noise, EVP_aes_256_ctr(), NULL, key, iv), "key stream");
	make_dirs(argv[1]);
	make_blobs(argv[1], big, n_small);
	make_lists(argv[1], big, n_small, n_many);
	write_map(argv[1]);
	write_keys(argv[1]);
	EVP_CIPHER_CTX_free(noise);
	return 0;
}
