import type { NewGrantCall, RequestWriter, ReservationRefusal } from '@assay/store'
import type { Hex } from 'viem'
import type { HeadStart } from '../payment/headStart.ts'

/** A call whose highest price is to be set aside in its place. */
export type NewPlacedCall = Omit<NewGrantCall, 'instance'>

/** Places of calls under grants. One that a node may have been told of is never another call's, whatever becomes of its own. */
export type Places = {
  /** Counter of a place that no call ever had; undefined where there is no such grant. */
  take(grantId: Hex): Promise<bigint | undefined>
  /** Sets a call's highest price aside in its place; says why it cannot. It may be tried again in the same place. */
  reserve(call: NewPlacedCall): Promise<ReservationRefusal | undefined>
  /** Whether a node may begin before a call under this grant is set aside. */
  mayFollow(grantId: Hex): boolean
}

export function createPlaces({
  headStart,
  writer,
  instance,
}: {
  headStart: HeadStart
  writer: Pick<RequestWriter, 'takePlace' | 'reserve'>
  instance: string
}): Places {
  return {
    take: writer.takePlace,
    reserve: (call) =>
      headStart.watch(
        call.grantId,
        writer.reserve({ ...call, instance }),
        (refusal) => refusal === undefined,
      ),
    mayFollow: headStart.mayFollow,
  }
}
