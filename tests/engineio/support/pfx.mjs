// PKCS #12 (RFC 7292) by hand, as much of it as an unencrypted file with one key and one certificate takes: for the
// client's option `pfx`.

const DATA = [1, 2, 840, 113549, 1, 7, 1];
const KEY_BAG = [1, 2, 840, 113549, 1, 12, 10, 1, 1];
const CERT_BAG = [1, 2, 840, 113549, 1, 12, 10, 1, 3];
const X509 = [1, 2, 840, 113549, 1, 9, 22, 1];

/** One value in DER: tag, length, contents. */
function der(tag, ...contents) {
  const body = Buffer.concat(contents);
  const size = [];
  for (let rest = body.length; rest > 0; rest >>= 8) size.unshift(rest & 0xff);
  const length = body.length < 128 ? [body.length] : [0x80 | size.length, ...size];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...items) => der(0x30, ...items);
const octets = (bytes) => der(0x04, bytes);
const explicit = (item) => der(0xa0, item);

function oid([first, second, ...rest]) {
  const base128 = (number) => {
    const digits = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) digits.unshift(0x80 | (left & 0x7f));
    return digits;
  };
  return der(0x06, Buffer.from([40 * first + second, ...rest.flatMap(base128)]));
}

const fromPem = (pem) => Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");

/** A file without password and seal, from a certificate and its PKCS #8 key, both PEM. */
export function pfx({ cert, key }) {
  const data = (content) => sequence(oid(DATA), explicit(octets(content)));
  const bags = sequence(
    sequence(oid(KEY_BAG), explicit(fromPem(key))),
    sequence(oid(CERT_BAG), explicit(sequence(oid(X509), explicit(octets(fromPem(cert)))))),
  );
  return sequence(der(0x02, Buffer.from([3])), data(sequence(data(bags))));
}
