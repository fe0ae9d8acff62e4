/* SPDX-License-Identifier: MIT */
/*
 * Cells: see cell.h.
 *
 * What costs is not AES but getting to it: a keyed context is kept for each of a few DEKs, the
 * IV goes in as the block before the ciphertext instead of through an Init, and the MACs begin
 * from hashed keys (hmackey.h).
 */
#include "crypto/cell.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/jsonscan.h"
#include "base/number.h"
#include "base/utf8.h"
#include "crypto/dekkeys.h"
#include "crypto/mac.h"
#include "crypto/ossl.h"
#include "crypto/pkcs7.h"
#include "crypto/random.h"

enum {
	BLOCK = PKCS7_BLOCK,
	VERSION = 1,
	VERSION_LEN = 1, /* ends what the MAC covers */
	MARKER_AT = 0,
	VERSION_AT = 1,
	MAC_AT = 2,
	IV_AT = MAC_AT + SHA256_LEN,
	BODY_AT = IV_AT + BLOCK,
	NUMBER_LEN = 8, /* of all that is no string */
	TEXT_MAX = (CELL_MAX + 2) / 3 * 4,
	PLAIN_MAX = (CELL_MAX - BODY_AT) / BLOCK * BLOCK - 1,
	SLOTS = 8 /* DEKs that a worker has a keyed cipher for */
};

struct slot {
	EVP_CIPHER_CTX *ctx;
	uint64_t generation; /* of the struct dek_keys that keyed it; 0 = none */
};

struct cell_worker {
	EVP_CIPHER *cipher;
	struct slot opener[SLOTS];
	EVP_CIPHER_CTX *sealer; /* holds no key between calls */
	struct buf sealed;
	struct buf plain; /* from unseal: a block of noise, then the value of the last cell */
};

int
cell_worker_new(struct cell_worker **out, struct err *e)
{
	struct cell_worker *w = calloc(1, sizeof(*w));
	bool good;

	if (w == NULL)
		return err_set(e, ENOMEM, "out of memory");
	buf_init(&w->sealed, TEXT_MAX / 4 * 3);
	buf_init(&w->plain, CELL_MAX);
	w->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	w->sealer = EVP_CIPHER_CTX_new();
	good = w->cipher != NULL && w->sealer != NULL;
	for (size_t i = 0; i < SLOTS; i++) {
		w->opener[i].ctx = EVP_CIPHER_CTX_new();
		good = good && w->opener[i].ctx != NULL;
	}
	if (!good) {
		cell_worker_free(w);
		return ossl_failed(e, "AES-CBC");
	}
	*out = w;
	return 0;
}

void
cell_worker_free(struct cell_worker *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		EVP_CIPHER_CTX_free(w->opener[i].ctx);
	EVP_CIPHER_CTX_free(w->sealer);
	EVP_CIPHER_free(w->cipher);
	buf_clear(&w->sealed);
	buf_clear(&w->plain);
	free(w);
}

const char *
cell_verdict_text(enum cell_verdict v)
{
	switch (v) {
	case CELL_GOOD:
		return "no fault";
	case CELL_NOT_ONE:
		return "no cell: not the base64 of one";
	case CELL_VERSION:
		return "no cell: unknown version or type";
	case CELL_WRONG_TAG:
		return "authentication failed";
	case CELL_WRONG_PLAIN:
		return "the value is none of its type";
	case CELL_WRONG_IV:
		return "the IV is not one of this kind of encryption";
	case CELL_FAILED:
		break;
	}
	return "out of memory, or OpenSSL failed";
}

/* ---- unsealing ---- */

/* Room for n bytes in an empty buffer.  Failures are a verdict here: there is nobody to read a
 * sentence, and a struct err to be cleared for each cell costs a twentieth of it. */
static bool
reserve(struct buf *b, size_t n)
{
	if (n >= b->room) {
		struct err ignored = { 0 };
		uint8_t *at;

		return buf_reserve(b, n, &at, &ignored) == 0;
	}
	return true;
}

/* Both alphabets are read wherever a cell stands: the official clients do not agree on where which
 * is used.  Mixed ones fail in either. */
static enum base64_kind
alphabet_of(struct span text)
{
	const bool url = memchr(text.p, '-', text.n) != NULL || memchr(text.p, '_', text.n) != NULL;

	return url ? BASE64_URL : BASE64_STANDARD;
}

/* The bytes of the cell into w->sealed. */
static enum cell_verdict
decode(struct cell_worker *w, struct span text)
{
	uint8_t *to;
	size_t n;

	w->sealed.n = 0;
	/* No writer leaves out the padding, in neither alphabet. */
	if (text.n < CELL_TEXT_MIN || text.n > TEXT_MAX || text.n % 4 != 0)
		return CELL_NOT_ONE;
	if (!reserve(&w->sealed, text.n / 4 * 3))
		return CELL_FAILED;
	to = w->sealed.p;
	if (!base64_decode(alphabet_of(text), text, (struct room){ to, text.n / 4 * 3 }, &n) ||
	    n < CELL_MIN || n > CELL_MAX || (n - BODY_AT) % BLOCK != 0)
		return CELL_NOT_ONE;
	w->sealed.n = n;
	if (to[VERSION_AT] != VERSION || to[MARKER_AT] < CELL_BOOLEAN ||
	    to[MARKER_AT] > CELL_STRING)
		return CELL_VERSION;
	return CELL_GOOD;
}

/* Over what stands around the IV and the ciphertext: buf leaves a byte behind its content. */
static void
mac_in_place(const struct dek_keys *k, uint8_t *cell, size_t n, uint8_t out[static SHA256_LEN])
{
	cell[IV_AT - 1] = VERSION;
	cell[n] = VERSION_LEN;
	hmac_key_mac(&k->mac, span_of(cell + IV_AT - 1, n + 1 - (IV_AT - 1)), out);
	cell[n] = 0;
}

static bool
tag_verifies(struct cell_worker *w, const struct dek_keys *k)
{
	uint8_t tag[SHA256_LEN], mac[SHA256_LEN];

	memcpy(tag, w->sealed.p + MAC_AT, sizeof(tag));
	mac_in_place(k, w->sealed.p, w->sealed.n, mac);
	return mac_equal(mac, tag, sizeof(mac));
}

/* The cipher with this key; NULL when OpenSSL failed. */
static EVP_CIPHER_CTX *
opener(struct cell_worker *w, const struct dek_keys *k)
{
	static const uint8_t any_iv[BLOCK];
	struct slot *s = &w->opener[k->generation % SLOTS];

	if (s->generation == k->generation)
		return s->ctx;
	s->generation = 0;
	if (EVP_DecryptInit_ex(s->ctx, w->cipher, NULL, k->enc, any_iv) != 1 ||
	    EVP_CIPHER_CTX_set_padding(s->ctx, 0) != 1)
		return NULL;
	s->generation = k->generation;
	return s->ctx;
}

/*
 * Into w->plain.  The IV stands before the ciphertext, where CBC has the block before: decrypted
 * as one more block it gives noise and sets the context for what follows, whatever the context
 * had before, and at a third of the price of an Init.
 */
static enum cell_verdict
decrypt(struct cell_worker *w, const struct dek_keys *k)
{
	const size_t n = w->sealed.n - IV_AT;
	EVP_CIPHER_CTX *ctx = opener(w, k);
	uint32_t pad;
	uint8_t *to;
	int made;

	if (ctx == NULL || !reserve(&w->plain, n))
		return CELL_FAILED;
	to = w->plain.p;
	w->plain.n = n;
	if (EVP_DecryptUpdate(ctx, to, &made, w->sealed.p + IV_AT, (int)n) != 1 ||
	    (size_t)made != n) {
		w->opener[k->generation % SLOTS].generation = 0;
		return CELL_FAILED;
	}
	pad = pkcs7_padding(to + n - BLOCK);
	w->plain.n -= pad;
	return pad == 0 ? CELL_WRONG_PLAIN : CELL_GOOD;
}

static struct span
plain_of(const struct cell_worker *w)
{
	return span_of(w->plain.p + BLOCK, w->plain.n - BLOCK);
}

static enum cell_verdict
check_iv(const struct cell_worker *w, const struct dek_keys *k, enum cell_kind kind)
{
	uint8_t mac[SHA256_LEN];
	bool derived;

	hmac_key_mac(&k->iv, plain_of(w), mac);
	derived = mac_equal(mac, w->sealed.p + IV_AT, BLOCK);
	OPENSSL_cleanse(mac, sizeof(mac)); /* tells equal values apart from others */
	return derived == (kind == CELL_DETERMINISTIC) ? CELL_GOOD : CELL_WRONG_IV;
}

static uint64_t
from_little_endian(const uint8_t p[static NUMBER_LEN])
{
	uint64_t v = 0;

	for (int i = NUMBER_LEN; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

/* The marker is the one thing that nothing authenticates: what it claims must at least be
 * possible. */
static bool
read_value(enum cell_type type, struct span plain, struct cell_value *out)
{
	struct cell_value v = { .type = type };
	uint64_t bits;

	if (type == CELL_STRING) {
		v.text = plain;
		*out = v;
		return utf8_is_valid(plain);
	}
	if (plain.n != NUMBER_LEN)
		return false;
	bits = from_little_endian(plain.p);
	if (type == CELL_BOOLEAN)
		v.boolean = bits == 1;
	else if (type == CELL_LONG)
		v.integer = (int64_t)bits;
	else
		memcpy(&v.real, &bits, sizeof(bits));
	if ((type == CELL_BOOLEAN && bits > 1) || (type == CELL_DOUBLE && !isfinite(v.real)))
		return false;
	*out = v;
	return true;
}

enum cell_verdict
cell_unseal(struct cell_worker *w, const struct dek_keys *k, enum cell_kind kind, struct span text,
	    struct cell_value *out)
{
	struct cell_value value;
	enum cell_verdict v;

	buf_reset(&w->plain);
	v = decode(w, text);
	if (v == CELL_GOOD && !tag_verifies(w, k))
		v = CELL_WRONG_TAG;
	if (v == CELL_GOOD)
		v = decrypt(w, k);
	if (v == CELL_GOOD)
		v = check_iv(w, k, kind);
	if (v == CELL_GOOD &&
	    !read_value((enum cell_type)w->sealed.p[MARKER_AT], plain_of(w), &value))
		v = CELL_WRONG_PLAIN;
	if (v == CELL_GOOD)
		*out = value;
	else
		buf_reset(&w->plain);
	if (v == CELL_FAILED)
		ERR_clear_error();
	return v;
}

/* ---- sealing ---- */

static void
to_little_endian(uint64_t v, uint8_t out[static NUMBER_LEN])
{
	for (int i = 0; i < NUMBER_LEN; i++, v >>= 8)
		out[i] = (uint8_t)v;
}

/* The plaintext of a value; number is memory for those that are no string. */
static int
plaintext(const struct cell_value *v, uint8_t number[static NUMBER_LEN], struct span *out,
	  struct err *e)
{
	uint64_t bits = 0;

	switch (v->type) {
	case CELL_STRING:
		if (!utf8_is_valid(v->text))
			return err_set(e, EINVAL, "a text that is not UTF-8 cannot be encrypted");
		if (v->text.n > PLAIN_MAX)
			return err_set(e, EFBIG, "a text of %zu bytes is too long to be encrypted",
				       v->text.n);
		*out = v->text;
		return 0;
	case CELL_BOOLEAN:
		bits = v->boolean ? 1 : 0;
		break;
	case CELL_LONG:
		bits = (uint64_t)v->integer;
		break;
	case CELL_DOUBLE:
		if (!isfinite(v->real))
			return err_set(e, EINVAL,
				       "a number that is not finite cannot be encrypted");
		memcpy(&bits, &v->real, sizeof(bits));
		break;
	}
	to_little_endian(bits, number);
	*out = span_of(number, NUMBER_LEN);
	return 0;
}

/* to: whole blocks, one more than fit into plain. */
static int
encrypt(struct cell_worker *w, const struct dek_keys *k, const uint8_t iv[static BLOCK],
	struct span plain, uint8_t *to, struct err *e)
{
	int body = 0, last = 0;
	bool good = EVP_EncryptInit_ex(w->sealer, w->cipher, NULL, k->enc, iv) == 1 &&
		    EVP_EncryptUpdate(w->sealer, to, &body, plain.p, (int)plain.n) == 1 &&
		    EVP_EncryptFinal_ex(w->sealer, to + body, &last) == 1;

	(void)EVP_CIPHER_CTX_reset(w->sealer);
	return good ? 0 : ossl_failed(e, "AES-CBC");
}

static int
make_iv(const struct dek_keys *k, enum cell_kind kind, struct span plain, uint8_t iv[static BLOCK],
	struct err *e)
{
	uint8_t mac[SHA256_LEN];

	if (kind == CELL_RANDOMIZED)
		return random_public((struct room){ iv, BLOCK }, e);
	hmac_key_mac(&k->iv, plain, mac);
	memcpy(iv, mac, BLOCK);
	return 0;
}

/* The cell of plain into w->sealed. */
static int
seal(struct cell_worker *w, const struct dek_keys *k, enum cell_kind kind, enum cell_type type,
     struct span plain, struct err *e)
{
	const size_t n = BODY_AT + (plain.n / BLOCK + 1) * BLOCK;
	uint8_t mac[SHA256_LEN], *cell;
	int r;

	w->sealed.n = 0;
	r = buf_reserve(&w->sealed, n, &cell, e);
	if (r == 0)
		r = make_iv(k, kind, plain, cell + IV_AT, e);
	if (r == 0)
		r = encrypt(w, k, cell + IV_AT, plain, cell + BODY_AT, e);
	if (r != 0)
		return r;
	mac_in_place(k, cell, n, mac);
	memcpy(cell + MAC_AT, mac, sizeof(mac));
	cell[MARKER_AT] = (uint8_t)type;
	cell[VERSION_AT] = VERSION;
	w->sealed.n = n;
	return 0;
}

int
cell_seal_kind(struct cell_worker *w, const struct dek_keys *k, enum cell_kind kind,
	       const struct cell_value *v, enum base64_kind alphabet, struct buf *out,
	       struct err *e)
{
	const size_t before = out->n;
	uint8_t number[NUMBER_LEN];
	struct span plain = { 0 };
	int r = plaintext(v, number, &plain, e);

	if (r == 0)
		r = seal(w, k, kind, v->type, plain, e);
	if (r == 0)
		r = base64_encode(alphabet, buf_span(&w->sealed), out, e);
	/* The alphabet of URLs commonly goes without padding; the official clients keep it. */
	while (r == 0 && (out->n - before) % 4 != 0)
		r = buf_add(out, "=", 1, e);
	if (r != 0)
		out->n = before;
	OPENSSL_cleanse(number, sizeof(number));
	return r;
}

int
cell_seal(struct cell_worker *w, const struct dek_keys *k, const struct cell_value *v,
	  enum base64_kind alphabet, struct buf *out, struct err *e)
{
	return cell_seal_kind(w, k, CELL_DETERMINISTIC, v, alphabet, out, e);
}

int
cell_print(const struct cell_value *v, struct buf *out, struct err *e)
{
	char number[NUMBER_TEXT_MAX];
	int r = 0;

	switch (v->type) {
	case CELL_BOOLEAN:
		return buf_add_str(out, v->boolean ? "true" : "false", e);
	case CELL_LONG:
		r = buf_add(out, number, number_print_long(v->integer, number), e);
		break;
	case CELL_STRING:
		return jsonscan_quote(v->text, out, e);
	case CELL_DOUBLE:
		r = buf_add(out, number, number_print(v->real, number), e);
	}
	OPENSSL_cleanse(number, sizeof(number));
	return r;
}
