/** What is used here of the npm package, which carries no types of its own. */
declare module 'secp256k1/bindings.js' {
  const bindings: {
    /** @throws where no key recovers */
    ecdsaRecover(
      signature: Uint8Array,
      recoveryId: number,
      digest: Uint8Array,
      compressed: boolean,
    ): Uint8Array
    ecdsaSign(digest: Uint8Array, privateKey: Uint8Array): { signature: Uint8Array; recid: number }
  }
  export default bindings
}
