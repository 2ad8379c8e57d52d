import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';

/** What lets a client trust a server whose certificate nobody else has signed. */
export interface Trust {
  /** The certificate, in PEM: Node takes it as `ca`. */
  pem: string;
  /** SHA-256 of its public key, in base64: Chromium takes it as `--ignore-certificate-errors-spki-list`. */
  spkiHash: string;
}

/** Reads the certificate that the server at an `https://` URL shows. */
export async function certificateOf(httpsUrl: string): Promise<Trust> {
  const { hostname, port } = new URL(httpsUrl);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw new Error(`The server at ${httpsUrl} shows no certificate.`);
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    return { pem: certificate.toString(), spkiHash: createHash('sha256').update(spki).digest('base64') };
  } finally {
    socket.destroy();
  }
}
