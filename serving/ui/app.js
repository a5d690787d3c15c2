// Opens the page: the key, what is served, then everything that draws.

import * as api from "./api.js";
import { byId } from "./dom.js";
import * as past from "./past.js";
import { state, tell } from "./state.js";
import * as talk from "./talk.js";
import * as top from "./top.js";
import * as wishes from "./wishes.js";
import { nameFields, t } from "./words.js";
import * as work from "./work.js";

async function main() {
  for (const part of [top, talk, wishes, past, work]) part.start();
  byId("side").append(wishes.wishes(), past.past(), wishes.tune(), wishes.glance());
  byId("dialog").addEventListener("cancel", (event) => state.about || event.preventDefault());
  if (!api.keyOfAddress()) {
    tell("language");
    return top.keyDialog();
  }
  try {
    state.about = await api.about();
  } catch (error) {
    tell("language");
    if (error.status === 401 || error.status === 403) return top.keyDialog(t("keyWrong"));
    return tell("error", { error: error.message });
  }
  nameFields(state.about.fields);
  tell("about");
  await work.become(sessionStorage.getItem("genrec-user") ?? work.someone());
}

main();
