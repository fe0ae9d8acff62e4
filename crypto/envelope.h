/* SPDX-License-Identifier: MIT */
/*
 * The envelope of a client-side-encrypted blob: the JSON text that the
 * official SDKs keep in the metadata item "encryptiondata".  It names the key
 * that wraps the content key, and says how the content is cut up.
 *
 * Nothing in it is authenticated but the protocol (through the prefix of the
 * wrapped key), so every value is checked against what a writer can produce
 * before anything is asked of a key vault.
 *
 * Source: docs/FORMATS.md, "Blob envelope".
 */
#ifndef CRYPTO_ENVELOPE_H
#define CRYPTO_ENVELOPE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
	ENVELOPE_JSON_MAX = 16384, /* bytes; the service allows 8 KiB of metadata in all */
	ENVELOPE_KID_MAX = 1024,
	ENVELOPE_WRAPPED_MAX = 1024 /* bytes; RSA-8192 gives 1,024 */
};

enum protocol { PROTOCOL_V1 = 1, PROTOCOL_V2_0, PROTOCOL_V2_1 };

enum wrap_alg {
	WRAP_RSA_OAEP = 1, /* SHA-1, MGF1-SHA-1 */
	WRAP_RSA_OAEP_256,
	WRAP_A128KW,
	WRAP_A192KW,
	WRAP_A256KW
};

struct envelope {
	enum protocol protocol;
	enum wrap_alg alg;
	char *kid; /* owned, UTF-8, non-empty; nobody may connect to what it names unlisted */
	uint8_t *wrapped;    /* owned */
	size_t n_wrapped;    /* 1..ENVELOPE_WRAPPED_MAX */
	uint64_t region_len; /* plaintext bytes of a region, 1..2^30 (writers: from 16); 0 for V1 */
	uint8_t iv[16];	     /* V1 only */
};

/*
 * Parses the text of the metadata item.  On success *out is filled and the caller clears it.
 *
 * -EBADMSG     malformed: not JSON, duplicate members, text after the object, missing or mistyped
 *              member, base64 that is not canonical, lengths out of range, protocol and content
 *              algorithm, IV, region info or length of an AES-wrapped key that do not go
 *              together; event "integrity.metadata"
 * -EOPNOTSUPP  a protocol, wrap algorithm or content algorithm that this program does not know,
 *              named in the text; event "policy.unsupported".  Another vendor's record under the
 *              same name (AES_CBC_128: Snowflake) is reported as foreign encryption, event
 *              "policy.foreign"
 * -ENOKEY      the key id is null or empty: the writer used a key without a name
 * Member names are compared exactly; unknown members are ignored; null counts as absent;
 * KeyWrappingMetadata and EncryptionMode may be missing.  A region length of 1..15 is accepted (no
 * writer makes it, but the format is sound there); 0, negative, fractional, string, > 2^30 are not.
 */
int envelope_parse(struct span json, struct envelope *out, struct err *e) MUST_CHECK;
/* A copy that the caller clears.  -ENOMEM. */
int envelope_copy(const struct envelope *from, struct envelope *out, struct err *e) MUST_CHECK;
void envelope_clear(struct envelope *env);

/*
 * Appends the text of the metadata item as the official clients write it for protocol 2.0, without
 * line breaks and in ASCII; library: the value of EncryptionLibrary.  -EINVAL: not V2, or a key id
 * that is no UTF-8.
 */
int envelope_print(const struct envelope *env, const char *library, struct buf *out,
		   struct err *e) MUST_CHECK;

/* "2.0", "RSA-OAEP" ...; static strings. */
const char *protocol_name(enum protocol p);
const char *wrap_alg_name(enum wrap_alg a);

/* The algorithm of that exact name; false when unknown. */
bool wrap_alg_parse(const char *name, enum wrap_alg *out) MUST_CHECK;
bool wrap_alg_is_rsa(enum wrap_alg a);

/*
 * A packed copy for a long listing: at most 300 bytes for an RSA-2048 key, without kid and
 * algorithm names, which many blobs share.  (The table of kids is the caller's.)
 */
struct packed_envelope; /* opaque, one malloc block */
int envelope_pack(const struct envelope *env, uint32_t kid_index, struct packed_envelope **out,
		  struct err *e) MUST_CHECK;
size_t envelope_packed_size(const struct packed_envelope *p); /* bytes of the block */
uint32_t envelope_packed_kid(const struct packed_envelope *p);
uint64_t envelope_packed_region_len(const struct packed_envelope *p);
enum protocol envelope_packed_protocol(const struct packed_envelope *p);
enum wrap_alg envelope_packed_alg(const struct packed_envelope *p);
/* The full envelope again; kid is the text that kid_index stands for. */
int envelope_unpack(const struct packed_envelope *p, const char *kid, struct envelope *out,
		    struct err *e) MUST_CHECK;
/* Whether both say the same of key, protocol and layout: what an open file may rely on. */
bool envelope_same(const struct envelope *a, const struct envelope *b);

#define AUTO_ENVELOPE struct envelope CLEANUP(envelope_clear)

#endif
