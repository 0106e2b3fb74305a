import type { PriceRow } from '@assay/protocol'
import type { CheckedPayment, GrantAccount } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { Anchor } from '../signReceipt.ts'

export type CurrentPrice = { version: bigint; row: PriceRow }

/** What a node asks of the chain while it serves. Reads that every request needs are polled ahead and answered at once. */
export type NodeChain = {
  /** Recent block to anchor receipts in; undefined until the first was read. */
  anchor: () => Anchor | undefined
  /** Price row in force; undefined until read, or when the model is not published. */
  price: (modelId: Hex) => CurrentPrice | undefined
  /** Till of a gateway; undefined when it has none. */
  tillOf: (gateway: Address) => Promise<Address | undefined>
  /** Why a payment could not be collected although it is well signed; undefined when it could. */
  whyUncollectable: (payment: CheckedPayment) => Promise<string | undefined>
  /** Account of a spending grant, no older than the protocol's leeway makes good; read again behind it where it is not of now. */
  grantAccount: (grantId: Hex) => Promise<GrantAccount>
  /** The same, at most a second old: before a call is turned away. */
  grantAccountNow: (grantId: Hex) => Promise<GrantAccount>
  close: () => void
}
