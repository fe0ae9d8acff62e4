/* SPDX-License-Identifier: MIT */
/* Certificates for tests: see testcert.h. */
#include "tests/support/testcert.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	pthread_once_t once;
	EVP_PKEY *key;
	X509 *cert;
	char path[64];
} ca = { .once = PTHREAD_ONCE_INIT };

static void *
must(void *p)
{
	if (p == NULL) {
		(void)fprintf(stderr, "testcert: OpenSSL failed\n");
		abort();
	}
	return p;
}

static void
add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = must(X509V3_EXT_conf_nid(NULL, NULL, nid, value));

	(void)X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

static X509 *
cert_new(EVP_PKEY *key, const char *name, long from_s, long to_s, X509_NAME *issuer)
{
	static int serial = 1;
	X509 *cert = must(X509_new());
	X509_NAME *subject = X509_get_subject_name(cert);

	(void)X509_set_version(cert, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	(void)X509_set_pubkey(cert, key);
	(void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
					 -1, -1, 0);
	(void)X509_set_issuer_name(cert, issuer != NULL ? issuer : subject);
	return cert;
}

static void
remove_ca_file(void)
{
	(void)unlink(ca.path);
}

static void
make_ca(void)
{
	FILE *f;
	int fd;

	ca.key = must(EVP_EC_gen("P-256"));
	ca.cert = cert_new(ca.key, "azcryptfs test authority", -3600, 86400, NULL);
	add_extension(ca.cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(ca.cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	(void)X509_sign(ca.cert, ca.key, EVP_sha256());
	(void)snprintf(ca.path, sizeof(ca.path), "/tmp/azcryptfs-test-ca-XXXXXX");
	fd = mkstemp(ca.path);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL || PEM_write_X509(must(f), ca.cert) != 1)
		abort();
	(void)fclose(f);
	(void)atexit(remove_ca_file);
}

const char *
testcert_ca_file(void)
{
	(void)pthread_once(&ca.once, make_ca);
	return ca.path;
}

SSL_CTX *
testcert_server(enum testcert_kind kind)
{
	EVP_PKEY *key = must(EVP_EC_gen("P-256"));
	bool self = kind == TESTCERT_SELF_SIGNED;
	long from = kind == TESTCERT_NOT_YET ? 7200 : -7200,
	     to = kind == TESTCERT_EXPIRED ? -3600 : 86400;
	SSL_CTX *ctx;
	X509 *cert;

	(void)testcert_ca_file();
	cert = cert_new(key, "server", from, to, self ? NULL : X509_get_subject_name(ca.cert));
	add_extension(cert, NID_subject_alt_name,
		      kind == TESTCERT_WRONG_HOST ? "DNS:elsewhere.example"
						  : "DNS:localhost,IP:127.0.0.1");
	add_extension(cert, NID_ext_key_usage,
		      kind == TESTCERT_WRONG_USE ? "clientAuth" : "serverAuth");
	(void)X509_sign(cert, self ? key : ca.key, EVP_sha256());
	ctx = must(SSL_CTX_new(TLS_server_method()));
	if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		abort();
	if (kind == TESTCERT_OLD_TLS) {
		SSL_CTX_set_security_level(ctx, 0);
		(void)SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		(void)SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}
