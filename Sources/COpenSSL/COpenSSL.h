// SPDX-License-Identifier: Apache-2.0
// OpenSSL 3: TLS sessions over bytes, certificates and keys. Its sockets are not used: a connection is a channel of its
// event loop. The functions below are those of OpenSSL's calls that are macros, which Swift does not see.
#ifndef C_OPENSSL_H
#define C_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static const uint64_t weir_op_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t weir_op_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t weir_op_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t weir_op_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA;

static inline long weir_ssl_ctx_set_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_mode(context, mode);
}

static inline int weir_ssl_ctx_set_versions(SSL_CTX *context, int lowest, int highest) {
    return SSL_CTX_set_min_proto_version(context, lowest) && SSL_CTX_set_max_proto_version(context, highest);
}

static inline int weir_ssl_ctx_set_groups(SSL_CTX *context, const char *names) {
    return (int)SSL_CTX_set1_groups_list(context, names);
}

static inline void weir_ssl_ctx_set_max_cert_list(SSL_CTX *context, long bytes) {
    SSL_CTX_set_max_cert_list(context, bytes);
}

static inline void weir_ssl_ctx_disable_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static inline int weir_ssl_ctx_add_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline void weir_ssl_ctx_set_name_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *),
                                                  void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}

typedef int (*weir_ticket_callback)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int);

static inline void weir_ssl_ctx_set_ticket_callback(SSL_CTX *context, weir_ticket_callback callback) {
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, callback);
}

// HMAC-SHA-256 by this key.
static inline int weir_mac_set_key(EVP_MAC_CTX *context, const unsigned char *key, size_t count) {
    OSSL_PARAM parameters[3];
    parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, count);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
    parameters[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(context, parameters);
}

static inline int weir_ssl_set_host_name(SSL *session, const char *name) {
    return (int)SSL_set_tlsext_host_name(session, name);
}

static const unsigned long weir_name_flags = XN_FLAG_RFC2253;

static inline GENERAL_NAMES *weir_x509_names(X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline void weir_x509_names_free(GENERAL_NAMES *names) {
    GENERAL_NAMES_free(names);
}

static inline int weir_x509_names_count(GENERAL_NAMES *names) {
    return names ? sk_GENERAL_NAME_num(names) : 0;
}

// The text of a name of this type, NULL for one of another.
static inline const ASN1_STRING *weir_x509_name(GENERAL_NAMES *names, int index, int type) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    return name->type == type ? name->d.ia5 : NULL;
}

static inline int weir_bio_pending(BIO *bio) {
    return (int)BIO_pending(bio);
}

static inline void weir_bio_retry_read(BIO *bio) {
    BIO_set_retry_read(bio);
}

static inline void weir_bio_clear_retry(BIO *bio) {
    BIO_clear_retry_flags(bio);
}

#endif
