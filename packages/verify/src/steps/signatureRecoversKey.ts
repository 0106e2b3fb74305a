import { AssayError, receiptDigest, recoverSigner, type SignedReceipt } from '@assay/protocol'
import type { Address } from 'viem'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, same, step } from '../step.ts'

/** One key signed request and response together, for this deployment of this chain and no other. */
export function signatureRecoversKey(signed: SignedReceipt, view: ChainView): Promise<Step> {
  return step('signatureRecoversKey', async () => {
    let signer: Address
    try {
      signer = await recoverSigner(receiptDigest(signed.receipt, view.deployment), signed.signature)
    } catch (error) {
      if (error instanceof AssayError) return failed('signature_malformed', error.shortMessage)
      throw error
    }
    return same(signer, signed.receipt.key)
      ? passed(`Key ${signed.receipt.key} signed the receipt.`)
      : failed(
          'signature_of_other_key',
          `On this deployment ${signer} signed, not ${signed.receipt.key}: ` +
            'the receipt was altered, or it is of another deployment.',
        )
  })
}
