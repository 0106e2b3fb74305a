import type { NewRequest, RequestWriter } from '@assay/store'
import type { Endings } from '../relay/endings.ts'
import type { HeadStart } from './headStart.ts'

/** Of all payments together: everybody finds on the chain those that were used already, whoever they are. */
const PAYMENTS = 'payments'

/** A call whose payment is to be its own. */
export type NewClaim = Omit<NewRequest, 'instance'>

export type Claims = {
  /** Claims the payment for this request; false if it is in use or was used. */
  claim(request: NewClaim): Promise<boolean>
  /** Whether a node may begin before the claim of its request is there. */
  mayFollow(): boolean
}

export function createClaims({
  headStart,
  writer,
  endings,
  instance,
}: {
  headStart: HeadStart
  writer: Pick<RequestWriter, 'claim'>
  endings: Pick<Endings, 'finish'>
  instance: string
}): Claims {
  async function write(request: NewClaim): Promise<boolean> {
    await endings.finish(request.requestId)
    return writer.claim({ ...request, instance })
  }
  return {
    claim: (request) => headStart.watch(PAYMENTS, write(request), (isClaimed) => isClaimed),
    mayFollow: () => headStart.mayFollow(PAYMENTS),
  }
}
