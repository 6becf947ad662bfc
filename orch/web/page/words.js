// What orch's codes mean, in words of people.
export const REASONS = {
  GAIN_ABOVE_COST: "the gain pays for the move",
  GAIN_BELOW_COST: "the gain does not pay for the move",
  ALREADY_BEST: "the split is the best already",
  HOLD_ACTIVE: "a node was moved lately and rests",
  RATE_LIMITED: "enough moves for this hour",
  RATE_UNKNOWN: "what a node earns is unknown",
  PRICE_STALE: "a price is too old to act on",
  PRICE_UNKNOWN: "a price is unknown",
  NODE_OFFLINE: "a node is offline",
  NODE_STALE: "a node has said nothing new for long",
  NODE_COMMITTED: "a node cannot give back what it has promised",
  ALLOCATION_UNKNOWN: "what a node has been given is unknown",
  LEVER_MISSING: "there is no lever to set it with",
  LEVER_IN_OBSERVE_MODE: "its lever only looks",
  LEVER_IN_SUGGEST_MODE: "its lever only suggests",
  LEVER_NEEDS_APPROVAL: "it waits for a person's word",
  REALLOCATION_RUNNING: "a move is under way",
  SAGA_STUCK: "a move is stuck and needs a person",
  FROZEN: "a person holds it",
  PROTECTED_FLOOR: "a protected minimum stands in the way",
  INFEASIBLE: "no split keeps every bound",
  SOLVER_REFUSED: "the solver found no answer it could stand by",
  STRATEGY_KEEPS: "the strategy keeps the split",
  STRATEGY_FAILED: "the strategy failed",
  INTERVAL_RUNNING: "the strategy's interval is not over",
  FORECAST_UNKNOWN: "there is no forecast yet",
  FORECAST_UNSURE: "the forecast is not sure enough",
  RISK_ABOVE_TOLERANCE: "the income would vary too much",
  NOT_READY: "orch is not ready yet",
  MOVE_LOST: "a move was seen to lose",
  OUTSIDE_WINDOW: "no maintenance window is open",
  DAY_BUDGET_SPENT: "enough moves for this day",
  PLAN_EXPIRED: "the plan is too old",
  PLAN_STALE: "the split is no longer the one it was made for",
  ALLOCATION_CHANGED: "a node has something else than the plan was made for",
  LEVER_FAILED: "a lever failed",
  JOURNAL_FAILED: "the journal cannot be written",
  CALLED_OFF: "a person called it off",
  INTERRUPTED: "orch stopped before anything was changed",
};

export const STATES = {
  proposed: "proposed",
  approved: "approved",
  preflight: "checking once more",
  applying: "setting limits",
  verifying: "reading back",
  settled: "settled",
  refused: "refused",
  rolling_back: "being undone",
  rolled_back: "undone",
  stuck: "stuck: needs a person",
};

export const VERDICTS = {
  pending: "earnings have not spoken yet",
  paid: "paid back",
  lost: "lost money",
  inconclusive: "cannot be told from chance",
};

export const OPPORTUNITIES = {
  underused: "lies unused",
  misallocated: "would earn more elsewhere",
  floor_blocked: "held by a minimum",
  price_shift: "prices have moved",
};

/** A code as words; one that is new here is shown as it is, readable. */
export const reason = (code) => REASONS[code] ?? code.toLowerCase().replaceAll("_", " ");
export const readable = (code) => String(code ?? "").replaceAll("_", " ");
