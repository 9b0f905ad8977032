// Stands in for a private header of Node's source, which eiows includes to take over TLS connections: Node does not
// install it, and eiows' own build fetches the whole source for it. The benchmark uses plain TCP alone.
#pragma once
#include <memory>
#include <openssl/ssl.h>

namespace node {
class BaseObject {};
namespace crypto {
class TLSWrap {
 public:
  const std::shared_ptr<SSL>* getSSL() const { return nullptr; }
};
}  // namespace crypto
}  // namespace node

#define ASSIGN_OR_RETURN_UNWRAP(wrap, object) *(wrap) = nullptr; return
