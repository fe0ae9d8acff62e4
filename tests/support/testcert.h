/* SPDX-License-Identifier: MIT */
/*
 * Certificates made while a test runs: one authority, and server certificates that are right or
 * wrong in one way each.
 */
#ifndef TESTS_SUPPORT_TESTCERT_H
#define TESTS_SUPPORT_TESTCERT_H

#include <openssl/ssl.h>

enum testcert_kind {
	TESTCERT_GOOD,	     /* for localhost and 127.0.0.1 */
	TESTCERT_WRONG_HOST, /* for another name */
	TESTCERT_SELF_SIGNED,
	TESTCERT_EXPIRED,
	TESTCERT_NOT_YET,
	TESTCERT_WRONG_USE, /* for clients, not servers */
	TESTCERT_OLD_TLS    /* good, but the server speaks nothing newer than TLS 1.1 */
};

/*
 * The file with the authority's certificate (PEM), made at first use in a temporary directory and
 * removed at exit.
 */
const char *testcert_ca_file(void);

/*
 * A server's side with a fresh key and certificate of that kind.  Aborts on failure: the test
 * could not run.
 */
SSL_CTX *testcert_server(enum testcert_kind kind);

#endif
