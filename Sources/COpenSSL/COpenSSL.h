// SPDX-License-Identifier: Apache-2.0
// OpenSSL 3: TLS sessions over bytes, certificates and keys. Its sockets are not used: a connection is a channel of its
// event loop. The functions below are those of OpenSSL's calls that are macros, which Swift does not see.
#ifndef C_OPENSSL_H
#define C_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// OpenSSL's own code for "a certificate that came cannot be read"; Swift does not import a macro of this form.
static const int32_t weir_reason_asn1 = ERR_R_ASN1_LIB;

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

// Takes so many bytes of requests in front of the end of a handshake (0-RTT), each once: by a memory of so many sessions.
static inline void weir_ssl_ctx_take_early_data(SSL_CTX *context, uint32_t bytes, long sessions) {
    SSL_CTX_set_max_early_data(context, bytes);
    SSL_CTX_set_recv_max_early_data(context, bytes);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(context, sessions);
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

static inline void weir_ssl_set_message_argument(SSL *session, void *argument) {
    SSL_set_msg_callback_arg(session, argument);
}

static inline int weir_ssl_set_host_name(SSL *session, const char *name) {
    return (int)SSL_set_tlsext_host_name(session, name);
}

// Asks every server for the status of its certificate.
static inline void weir_ssl_ctx_ask_status(SSL_CTX *context, int (*callback)(SSL *, void *)) {
    SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(context, callback);
}

static inline long weir_ssl_status_response(SSL *session, const unsigned char **bytes) {
    return SSL_get_tlsext_status_ocsp_resp(session, bytes);
}

// Sessions go to the callback, and nowhere else.
static inline void weir_ssl_ctx_set_session_callback(SSL_CTX *context, int (*callback)(SSL *, SSL_SESSION *)) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, callback);
}

static inline int weir_x509_count(STACK_OF(X509) *chain) {
    return chain ? sk_X509_num(chain) : 0;
}

static inline X509 *weir_x509_at(STACK_OF(X509) *chain, int index) {
    return sk_X509_value(chain, index);
}

// The digest that an OCSP response names certificates by; NULL where it is not known.
static inline const EVP_MD *weir_ocsp_digest(const OCSP_CERTID *name) {
    ASN1_OBJECT *digest = NULL;
    OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)name);
    return digest ? EVP_get_digestbyobj(digest) : NULL;
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

// Whether an answer is about this certificate: by its issuer, too, where that is known.
static inline int weir_ocsp_is_about(OCSP_SINGLERESP *answer, X509 *certificate, X509 *issuer) {
    OCSP_CERTID *asked = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(answer);
    ASN1_OBJECT *digest = NULL;
    ASN1_INTEGER *serial = NULL;
    if (!OCSP_id_get0_info(NULL, &digest, NULL, &serial, asked)) return 0;
    if (!issuer) return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0;
    const EVP_MD *algorithm = EVP_get_digestbyobj(digest);
    OCSP_CERTID *own = algorithm ? OCSP_cert_to_id(algorithm, certificate, issuer) : NULL;
    int is_about = own && OCSP_id_cmp(own, asked) == 0;
    OCSP_CERTID_free(own);
    return is_about;
}

// Whether the issuer has signed, or somebody whom it has signed for that.
static inline int weir_ocsp_verify(OCSP_BASICRESP *response, X509 *issuer) {
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *known = sk_X509_new_null();
    int is_signed = store && known && X509_STORE_add_cert(store, issuer) && sk_X509_push(known, issuer) &&
                    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) &&
                    OCSP_basic_verify(response, known, store, 0) == 1;
    sk_X509_free(known);
    X509_STORE_free(store);
    return is_signed;
}

static inline void weir_ssl_ctx_set_status_callback(SSL_CTX *context, int (*callback)(SSL *, void *), void *argument) {
    SSL_CTX_set_tlsext_status_cb(context, callback);
    SSL_CTX_set_tlsext_status_arg(context, argument);
}

// Shows a copy of these bytes, which the session frees.
static inline int weir_ssl_staple(SSL *session, const unsigned char *bytes, size_t count) {
    unsigned char *copy = OPENSSL_memdup(bytes, count);
    return copy && SSL_set_tlsext_status_ocsp_resp(session, copy, (long)count);
}

static inline void weir_ssl_ask_status(SSL *session) {
    SSL_set_tlsext_status_type(session, TLSEXT_STATUSTYPE_ocsp);
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
