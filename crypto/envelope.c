/* SPDX-License-Identifier: MIT */
/*
 * Reading the "encryptiondata" record: see envelope.h.  The packed form for
 * listings is in packed.c.
 */
#include "crypto/envelope.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/num.h"
#include "crypto/mac.h"
#include "crypto/member.h"

enum { NONCE_LEN = 12, REGION_LEN_MAX = 1 << 30, IV_LEN = 16 };

/* What an AES key wrap adds to what it wraps: 32 bytes in V1, 40 in V2. */
enum { WRAPPED_AES_V1 = 40, WRAPPED_AES_V2 = 48 };

struct name {
	const char *name;
	int value;
};

static const struct name protocols[] = {
	{ "1.0", PROTOCOL_V1 },
	{ "2.0", PROTOCOL_V2_0 },
	{ "2.1", PROTOCOL_V2_1 },
};

static const struct name wrap_algs[] = {
	{ "RSA-OAEP", WRAP_RSA_OAEP }, { "RSA-OAEP-256", WRAP_RSA_OAEP_256 },
	{ "A128KW", WRAP_A128KW },     { "A192KW", WRAP_A192KW },
	{ "A256KW", WRAP_A256KW },
};

static const char *
name_of(const struct name *names, size_t n, int value)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].value == value)
			return names[i].name;
	return "?";
}

static bool
value_of(const struct name *names, size_t n, const char *name, int *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		*out = names[i].value;
		return true;
	}
	return false;
}

static const struct record record = { "encryptiondata", "integrity.metadata" };

static int
malformed(struct err *e, const char *name, const char *sentence)
{
	return member_malformed(&record, name, sentence, e);
}

static int
foreign(struct err *e, const char *algorithm)
{
	(void)err_set(e, EOPNOTSUPP, "encryptiondata: content is %.40s, another product's format",
		      algorithm);
	return err_mark(e, "policy.foreign",
			"this blob belongs to another product (Snowflake writes such records); "
			"read it with that product");
}

/* Which generation, and that its content cipher is named with it. */
static int
parse_agent(const json_t *root, struct envelope *env, struct err *e)
{
	const char *protocol = NULL, *algorithm = NULL;
	json_t *agent = NULL;
	bool gcm;
	int value, r;

	r = member_object(&record, root, "EncryptionAgent", &agent, e);
	if (r == 0)
		r = member_string(&record, agent, "Protocol", &protocol, e);
	if (r == 0)
		r = member_string(&record, agent, "EncryptionAlgorithm", &algorithm, e);
	if (r < 0)
		return r;
	if (strcmp(algorithm, "AES_CBC_128") == 0)
		return foreign(e, algorithm);
	gcm = strcmp(algorithm, "AES_GCM_256") == 0;
	if (!gcm && strcmp(algorithm, "AES_CBC_256") != 0)
		return member_unsupported(&record, "content algorithm", algorithm, e);
	if (!value_of(protocols, ARRAY_LEN(protocols), protocol, &value))
		return member_unsupported(&record, "protocol", protocol, e);
	if (gcm != (value != PROTOCOL_V1))
		return malformed(e, "EncryptionAlgorithm", "does not go with the protocol");
	env->protocol = (enum protocol)value;
	return 0;
}

static int
parse_kid(const json_t *key, struct envelope *env, struct err *e)
{
	const char *kid = NULL;
	int r;

	if (member_find(key, "KeyId") == NULL)
		return err_set(e, ENOKEY, "encryptiondata: the wrapping key has no name");
	r = member_string(&record, key, "KeyId", &kid, e);
	if (r < 0)
		return r;
	if (kid[0] == '\0')
		return err_set(e, ENOKEY, "encryptiondata: the wrapping key has an empty name");
	if (strlen(kid) > ENVELOPE_KID_MAX)
		return malformed(e, "KeyId", "is too long");
	env->kid = strdup(kid);
	return env->kid == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

/*
 * An AES wrap tells what it holds by its length: here a V2 key under a V1 label is refused before
 * a vault is asked. RSA hides it; there the length of what comes out decides (cek.h).
 */
static bool
wrapped_length_fits(const struct envelope *env, size_t n)
{
	if (wrap_alg_is_rsa(env->alg))
		return true;
	return n == (env->protocol == PROTOCOL_V1 ? WRAPPED_AES_V1 : WRAPPED_AES_V2);
}

static int
parse_wrapped(const json_t *key, struct envelope *env, struct err *e)
{
	uint8_t wrapped[ENVELOPE_WRAPPED_MAX];
	size_t n = 0;
	int r;

	r = member_base64(&record, key, "EncryptedKey", (struct room){ wrapped, sizeof(wrapped) },
			  &n, e);
	if (r < 0)
		return r;
	if (!wrapped_length_fits(env, n))
		return malformed(e, "EncryptedKey", "has not the length its algorithm gives");
	env->wrapped = malloc(n);
	if (env->wrapped == NULL)
		return err_set(e, ENOMEM, "out of memory");
	memcpy(env->wrapped, wrapped, n);
	env->n_wrapped = n;
	return 0;
}

static int
parse_key(const json_t *root, struct envelope *env, struct err *e)
{
	const char *alg = NULL;
	json_t *key = NULL;
	int r;

	r = member_object(&record, root, "WrappedContentKey", &key, e);
	if (r == 0)
		r = parse_kid(key, env, e);
	if (r == 0)
		r = member_string(&record, key, "Algorithm", &alg, e);
	if (r < 0)
		return r;
	if (!wrap_alg_parse(alg, &env->alg))
		return member_unsupported(&record, "wrap algorithm", alg, e);
	return parse_wrapped(key, env, e);
}

static int
parse_v1(const json_t *root, struct envelope *env, struct err *e)
{
	size_t n = 0;
	int r;

	/*
	 * Region info left in the record is ignored as any member that V1 does not know: what
	 * stops a V2 blob from being read as V1 is the length of its key, and nothing else would
	 * be proof.
	 */
	r = member_base64(&record, root, "ContentEncryptionIV", (struct room){ env->iv, IV_LEN },
			  &n, e);
	if (r == 0 && n != IV_LEN)
		return malformed(e, "ContentEncryptionIV", "is not 16 bytes long");
	return r;
}

static int
parse_v2(const json_t *root, struct envelope *env, struct err *e)
{
	json_t *info = NULL;
	uint64_t nonce_len;
	int r;

	if (member_find(root, "ContentEncryptionIV") != NULL)
		return malformed(e, "ContentEncryptionIV", "does not go with the protocol");
	r = member_object(&record, root, "EncryptedRegionInfo", &info, e);
	if (r == 0)
		r = member_integer(&record, info, "DataLength", 1, REGION_LEN_MAX, &env->region_len,
				   e);
	if (r == 0)
		r = member_integer(&record, info, "NonceLength", NONCE_LEN, NONCE_LEN, &nonce_len,
				   e);
	return r;
}

static int
parse_root(const json_t *root, struct envelope *env, struct err *e)
{
	int r = parse_agent(root, env, e);

	if (r == 0)
		r = parse_key(root, env, e);
	if (r == 0)
		r = env->protocol == PROTOCOL_V1 ? parse_v1(root, env, e) : parse_v2(root, env, e);
	return r;
}

int
envelope_parse(struct span json, struct envelope *out, struct err *e)
{
	struct envelope env = { 0 };
	json_t *root = NULL;
	int r = member_root(&record, json, ENVELOPE_JSON_MAX, &root, e);

	if (r < 0)
		return r;
	r = parse_root(root, &env, e);
	json_decref(root);
	if (r < 0) {
		envelope_clear(&env);
		return r;
	}
	*out = env;
	return 0;
}

int
envelope_copy(const struct envelope *from, struct envelope *out, struct err *e)
{
	struct envelope env = *from;

	env.kid = strdup(from->kid);
	env.wrapped = malloc(from->n_wrapped + 1);
	if (env.kid == NULL || env.wrapped == NULL) {
		envelope_clear(&env);
		return err_set(e, ENOMEM, "out of memory");
	}
	if (from->n_wrapped > 0)
		memcpy(env.wrapped, from->wrapped, from->n_wrapped);
	*out = env;
	return 0;
}

void
envelope_clear(struct envelope *env)
{
	free(env->kid);
	free(env->wrapped);
	*env = (struct envelope){ 0 };
}

const char *
protocol_name(enum protocol p)
{
	return name_of(protocols, ARRAY_LEN(protocols), (int)p);
}

const char *
wrap_alg_name(enum wrap_alg a)
{
	return name_of(wrap_algs, ARRAY_LEN(wrap_algs), (int)a);
}

bool
wrap_alg_parse(const char *name, enum wrap_alg *out)
{
	int value;

	if (!value_of(wrap_algs, ARRAY_LEN(wrap_algs), name, &value))
		return false;
	*out = (enum wrap_alg)value;
	return true;
}

bool
wrap_alg_is_rsa(enum wrap_alg a)
{
	return a == WRAP_RSA_OAEP || a == WRAP_RSA_OAEP_256;
}

bool
envelope_same(const struct envelope *a, const struct envelope *b)
{
	return a->protocol == b->protocol && a->alg == b->alg && a->region_len == b->region_len &&
	       a->n_wrapped == b->n_wrapped && mac_equal(a->wrapped, b->wrapped, a->n_wrapped) &&
	       mac_equal(a->iv, b->iv, sizeof(a->iv)) && strcmp(a->kid, b->kid) == 0;
}
