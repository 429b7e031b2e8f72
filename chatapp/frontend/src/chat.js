/** Entry of the chat page. Children are defined before the element that joins them. */

import { AssistantPicker } from "./chat/assistant-picker.js";
import { BasePicker } from "./chat/base-picker.js";
import { ChatApp } from "./chat/chat-app.js";
import { Composer } from "./chat/composer.js";
import { ConversationList } from "./chat/conversation-list.js";
import { MessageLog } from "./chat/message-log.js";
import { SourcesPanel } from "./chat/sources-panel.js";

customElements.define("fn-assistants", AssistantPicker);
customElements.define("fn-bases", BasePicker);
customElements.define("fn-composer", Composer);
customElements.define("fn-conversations", ConversationList);
customElements.define("fn-log", MessageLog);
customElements.define("fn-sources", SourcesPanel);
customElements.define("fn-chat", ChatApp);
