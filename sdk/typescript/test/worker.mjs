// The same in workerd: the list comes as the body of a request.
import { performAll } from "./perform.mjs";

export default {
  async fetch(request) {
    return Response.json(await performAll(await request.json()));
  },
};
