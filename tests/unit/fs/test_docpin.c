/* SPDX-License-Identifier: MIT */
/* The pin file: fs/docpin.h. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/docpin.h"

static char dir[64], file[96];

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/docpin.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/pins", dir);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "pins", "pins.lock", "pins.new" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static void
make_claim(struct docpin_claim *c, struct docpin_key keys[2], const char *container,
	   const char *policy, const char *a, const char *b)
{
	memset(keys, 0, 2 * sizeof(*keys));
	*c = (struct docpin_claim){ .key = keys, .n_keys = 2 };
	(void)snprintf(c->container, sizeof(c->container), "%s", container);
	(void)snprintf(c->policy, sizeof(c->policy), "%s", policy);
	keys[0].id = "a";
	keys[1].id = "b/\"\xc3\xa9";
	(void)snprintf(keys[0].fingerprint, sizeof(keys[0].fingerprint), "%s", a);
	(void)snprintf(keys[1].fingerprint, sizeof(keys[1].fingerprint), "%s", b);
}

static void
put_file(const char *text, mode_t mode)
{
	const int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void
what_is_pinned_holds_and_the_rest_is_new(void **state)
{
	struct docpin_key keys[2];
	struct docpin_claim c;
	struct err e = { 0 };
	struct stat st;

	(void)state;
	make_claim(&c, keys, "acct/db/c", "p1", "fa", "fb");
	assert_int_equal(docpin_check(file, &c, &e), 0);
	assert_true(c.is_new && keys[0].is_new && keys[1].is_new);
	assert_int_equal(access(file, F_OK), -1);
	c.n_keys = 1;
	assert_int_equal(docpin_add(file, &c, &e), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777u, 0600);
	c.n_keys = 2;
	assert_int_equal(docpin_check(file, &c, &e), 0);
	assert_true(!c.is_new && !keys[0].is_new && keys[1].is_new);
	assert_int_equal(docpin_add(file, &c, &e), 0);
	assert_int_equal(docpin_check(file, &c, &e), 0);
	assert_true(!c.is_new && !keys[0].is_new && !keys[1].is_new);
	make_claim(&c, keys, "acct/db/other", "p2", "other", "other");
	assert_int_equal(docpin_check(file, &c, &e), 0);
	assert_true(c.is_new && keys[0].is_new);
}

static void
another_policy_or_key_is_refused(void **state)
{
	static const struct {
		const char *policy, *a, *event;
	} cases[] = { { "p2", "fa", "policy.pin" }, { "p1", "fx", "policy.dek_changed" } };
	struct docpin_key keys[2];
	struct docpin_claim c;
	struct err e = { 0 };

	(void)state;
	make_claim(&c, keys, "acct/db/c", "p1", "fa", "fb");
	assert_int_equal(docpin_add(file, &c, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		make_claim(&c, keys, "acct/db/c", cases[i].policy, cases[i].a, "fb");
		assert_int_equal(docpin_check(file, &c, &e), -EACCES);
		assert_string_equal(e.event, cases[i].event);
		assert_non_null(e.advice);
		err_clear(&e);
		assert_int_equal(docpin_add(file, &c, &e), -EACCES);
		assert_string_equal(e.event, cases[i].event);
		err_clear(&e);
	}
	make_claim(&c, keys, "acct/db/c", "p1", "fa", "fb");
	assert_int_equal(docpin_check(file, &c, &e), 0);
}

static void
what_is_no_pin_file_pins_nothing_and_fails(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "", -EINVAL },
		{ "x", -EINVAL },
		{ "[]", -EINVAL },
		{ "{\"format\":\"azcryptfs-feed\",\"version\":1,\"containers\":{}}", -EINVAL },
		{ "{\"format\":\"azcryptfs-pins\",\"version\":2,\"containers\":{}}", -EOPNOTSUPP },
		{ "{\"format\":\"azcryptfs-pins\",\"version\":1,\"containers\":[]}", -EINVAL },
		{ "{\"format\":\"azcryptfs-pins\",\"version\":1,\"containers\":{},\"x\":1}",
		  -EINVAL },
		{ "{\"format\":\"azcryptfs-pins\",\"version\":1,\"containers\":{},\"version\":1}",
		  -EINVAL },
		{ "{\"format\":\"azcryptfs-pins\",\"version\":1,\"containers\":"
		  "{\"acct/db/c\":{\"policy\":\"p1\"}}}",
		  -EINVAL },
		{ "{\"format\":\"azcryptfs-pins\",\"version\":1,\"containers\":"
		  "{\"acct/db/c\":{\"policy\":\"p1\",\"keys\":{\"a\":1}}}}",
		  -EINVAL },
		{ "{\"format\":\"azcryptfs-pins\",\"version\":1,\"containers\":"
		  "{\"acct/db/c\":{\"policy\":\"p1\",\"keys\":{\"a\":\"fa\"}}}}",
		  0 },
	};
	struct docpin_key keys[2];
	struct docpin_claim c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		put_file(cases[i].text, 0600);
		make_claim(&c, keys, "acct/db/c", "p1", "fa", "fb");
		assert_int_equal(docpin_check(file, &c, &e), cases[i].r);
		if (cases[i].r == 0)
			continue;
		err_clear(&e);
		assert_int_equal(docpin_add(file, &c, &e), cases[i].r);
	}
}

static void
a_file_that_others_may_write_is_not_believed(void **state)
{
	struct docpin_key keys[2];
	struct docpin_claim c;
	struct err e = { 0 };

	(void)state;
	make_claim(&c, keys, "acct/db/c", "p1", "fa", "fb");
	put_file("{\"format\":\"azcryptfs-pins\",\"version\":1,\"containers\":{}}", 0620);
	assert_int_equal(docpin_check(file, &c, &e), -EACCES);
	err_clear(&e);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(docpin_check(file, &c, &e), -ELOOP);
}

/* Each pins a container of its own: none is lost. */
static void
several_processes_use_one_file(void **state)
{
	enum { PROCESSES = 8, ROUNDS = 10 };
	pid_t pid[PROCESSES];

	(void)state;
	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		for (int k = 0; k < ROUNDS; k++) {
			struct docpin_key keys[2];
			struct docpin_claim c;
			struct err e = { 0 };
			char name[64];

			(void)snprintf(name, sizeof(name), "acct/db/c%d-%d", i, k);
			make_claim(&c, keys, name, "p1", "fa", "fb");
			if (docpin_add(file, &c, &e) != 0)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < PROCESSES * ROUNDS; i++) {
		struct docpin_key keys[2];
		struct docpin_claim c;
		struct err e = { 0 };
		char name[64];

		(void)snprintf(name, sizeof(name), "acct/db/c%d-%d", i / ROUNDS, i % ROUNDS);
		make_claim(&c, keys, name, "p1", "fa", "fb");
		assert_int_equal(docpin_check(file, &c, &e), 0);
		assert_false(c.is_new || keys[0].is_new || keys[1].is_new);
	}
}

/* ---- the fingerprint of a policy ---- */

static const struct {
	const char *json;
	bool same;
} policies[] = {
	{ "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk\"],\"kind\":\"Hash\"},"
	  "\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"includedPaths\":["
	  "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k1\",\"encryptionType\":\"Deterministic\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"},"
	  "{\"path\":\"/b\",\"clientEncryptionKeyId\":\"k2\",\"encryptionType\":\"Randomized\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}]}}",
	  true },
	/* another container, another order */
	{ "{\"id\":\"d\",\"_rid\":\"s\",\"partitionKey\":{\"paths\":[\"/pk\"],\"kind\":\"Hash\"},"
	  "\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"includedPaths\":["
	  "{\"path\":\"/b\",\"clientEncryptionKeyId\":\"k2\",\"encryptionType\":\"Randomized\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"},"
	  "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k1\",\"encryptionType\":\"Deterministic\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}]}}",
	  true },
	/* a path dropped */
	{ "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk\"],\"kind\":\"Hash\"},"
	  "\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"includedPaths\":["
	  "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k1\",\"encryptionType\":\"Deterministic\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}]}}",
	  false },
	/* a type flipped */
	{ "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk\"],\"kind\":\"Hash\"},"
	  "\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"includedPaths\":["
	  "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k1\",\"encryptionType\":\"Deterministic\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"},"
	  "{\"path\":\"/b\",\"clientEncryptionKeyId\":\"k2\",\"encryptionType\":\"Deterministic\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}]}}",
	  false },
	/* another key */
	{ "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk\"],\"kind\":\"Hash\"},"
	  "\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"includedPaths\":["
	  "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k1\",\"encryptionType\":\"Deterministic\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"},"
	  "{\"path\":\"/b\",\"clientEncryptionKeyId\":\"k1\",\"encryptionType\":\"Randomized\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}]}}",
	  false },
	/* another partition key */
	{ "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk/x\"],\"kind\":\"Hash\"},"
	  "\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"includedPaths\":["
	  "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k1\",\"encryptionType\":\"Deterministic\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"},"
	  "{\"path\":\"/b\",\"clientEncryptionKeyId\":\"k2\",\"encryptionType\":\"Randomized\","
	  "\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}]}}",
	  false },
	/* none */
	{ "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk\"],\"kind\":\"Hash\"}}",
	  false },
};

static void
a_policy_is_known_by_its_meaning(void **state)
{
	char first[DOCPIN_POLICY_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		AUTO_CONTAINER_DEF def = { 0 };
		char sum[DOCPIN_POLICY_LEN + 1];
		struct err e = { 0 };

		if (container_def_parse(span_str(policies[i].json), &def, &e) != 0)
			fail_msg("%zu: %s", i, e.text);
		assert_int_equal(docpin_policy(&def, sum, &e), 0);
		assert_int_equal(strlen(sum), DOCPIN_POLICY_LEN);
		if (i == 0)
			memcpy(first, sum, sizeof(first));
		assert_int_equal(strcmp(first, sum) == 0, policies[i].same);
	}
	/* Pinned: what is in people's files stays good. */
	assert_string_equal(first,
			    "9c4547787fd53c31aa1d330f27b8ea53984f585d247c40a87867d9c77d92921a");
}

int
main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		FRESH(what_is_pinned_holds_and_the_rest_is_new),
		FRESH(another_policy_or_key_is_refused),
		FRESH(what_is_no_pin_file_pins_nothing_and_fails),
		FRESH(a_file_that_others_may_write_is_not_believed),
		FRESH(several_processes_use_one_file),
		cmocka_unit_test(a_policy_is_known_by_its_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
