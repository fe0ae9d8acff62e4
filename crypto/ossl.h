/* SPDX-License-Identifier: MIT */
/* How the files of this directory report that OpenSSL itself failed. */
#ifndef CRYPTO_OSSL_H
#define CRYPTO_OSSL_H

#include "base/err.h"

/* Empties OpenSSL's error queue, records EIO "<what> failed" and returns -EIO. */
int ossl_failed(struct err *e, const char *what);

#endif
